//! The name a person probably meant.

/// Returns the known name that is nearest to `word`, if one is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = 1 + word.chars().count() / 3;
    known.iter().map(|name| (distance(word, name), *name)).filter(|(d, _)| *d <= allowed).min().map(|(_, name)| name)
}

/// Counts the letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised_and_a_different_word_is_not() {
        let known = ["context", "namespace", "plan"];
        assert_eq!(nearest("namspace", &known), Some("namespace"));
        assert_eq!(nearest("contxet", &known), Some("context"));
        assert_eq!(nearest("plam", &known), Some("plan"));
        assert_eq!(nearest("colour", &known), None);
    }
}

//! Numbers of things in words.

/// Counts things for a sentence: `1 pod`, `2 pods`; `one` is the word for a single one, whose plural has an `s` more.
pub fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!(
            [0, 1, 2].map(|n| counted(n, "managed route")),
            ["0 managed routes", "1 managed route", "2 managed routes"]
        );
    }
}

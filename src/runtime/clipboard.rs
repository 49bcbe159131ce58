//! The terminal's clipboard, by OSC 52: it works over SSH, and needs no display.

use super::manners::Between;

/// The most bytes of an encoded text: what terminals are known to take, less the frame.
const MOST: usize = 74_994;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Makes the sequence that gives a text to the terminal's clipboard; what is too long is cut at a character.
pub(super) fn copy(text: &str, between: Between) -> Vec<u8> {
    let mut end = text.len().min(MOST / 4 * 3);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = b"\x1b]52;c;".to_vec();
    bytes.extend(base64(&text.as_bytes()[..end]));
    between.wrap(&bytes)
}

/// Encodes bytes by RFC 4648, section 4.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i > chunk.len() { b'=' } else { digit });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_as_the_standard_says() {
        for (text, code) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(String::from_utf8(base64(text.as_bytes())).unwrap(), code);
        }
        assert_eq!(copy("hold", Between::Nothing), b"\x1b]52;c;aG9sZA==\x1b\\");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let sent = copy(&"ö".repeat(60_000), Between::Nothing);
        assert!(sent.len() <= MOST + 9 && sent.ends_with(b"\x1b\\"));
    }
}

//! What goes out beside pictures, and in which form this terminal takes it.

use std::path::PathBuf;

/// The program between this one and the terminal, through which some sequences have to be handed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Between {
    /// None.
    #[default]
    Nothing,
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

/// What goes out beside pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// What stands between.
    pub between: Between,
    /// Whether the terminal's title says where the release stands.
    pub title: bool,
    /// Whether the terminal may be asked to put a text into its clipboard.
    pub clipboard: bool,
    /// Whether the terminal rings when it is held, fails or is not known any more.
    pub bell: bool,
    /// Whether the terminal is asked for the colour of its background, and to say when it changes.
    pub asks_background: bool,
    /// The folder of exports; `None` where there is no place for one.
    pub exports: Option<PathBuf>,
    /// The person's home, which messages write as `~`.
    pub home: Option<PathBuf>,
}

impl Between {
    /// Wraps a sequence so that it reaches the terminal.
    ///
    /// tmux takes it as the text of a DCS string in which every ESC is doubled. screen takes short DCS strings one after the
    /// other; none of them may hold the end of a string, so the sequence ends in BEL there.
    pub fn wrap(self, body: &[u8]) -> Vec<u8> {
        /// The longest DCS string of old versions of screen, less its frame.
        const CHUNK: usize = 76;
        match self {
            Self::Nothing => [body, b"\x1b\\"].concat(),
            Self::Tmux => {
                // Once for tmux itself, where `set-clipboard` is on, and once for the terminal, where `allow-passthrough` is.
                let mut bytes = [body, b"\x1b\\\x1bPtmux;"].concat();
                for byte in [body, b"\x1b\\"].concat() {
                    bytes.extend(if byte == 0x1b { vec![0x1b, 0x1b] } else { vec![byte] });
                }
                bytes.extend(b"\x1b\\");
                bytes
            }
            Self::Screen => {
                let body = [body, b"\x07"].concat();
                body.chunks(CHUNK).flat_map(|chunk| [b"\x1bP", chunk, b"\x1b\\"].concat()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_ends_in_st_and_is_handed_through_what_stands_between() {
        let body = b"\x1b]52;c;aGk=";
        assert_eq!(Between::Nothing.wrap(body), b"\x1b]52;c;aGk=\x1b\\");
        assert_eq!(Between::Tmux.wrap(body), b"\x1b]52;c;aGk=\x1b\\\x1bPtmux;\x1b\x1b]52;c;aGk=\x1b\x1b\\\x1b\\");
        assert_eq!(Between::Screen.wrap(body), b"\x1bP\x1b]52;c;aGk=\x07\x1b\\");
    }

    #[test]
    fn what_is_long_reaches_the_terminal_through_screen_in_pieces_without_a_byte_more_or_less() {
        let body: Vec<u8> = b"\x1b]52;c;".iter().copied().chain(std::iter::repeat_n(b'A', 500)).collect();
        let wrapped = Between::Screen.wrap(&body);
        let text = String::from_utf8(wrapped).unwrap();
        let pieces: Vec<&str> =
            text.split("\x1bP").skip(1).map(|piece| piece.strip_suffix("\x1b\\").unwrap()).collect();
        assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.len() <= 76));
        assert_eq!(pieces.concat().into_bytes(), [body.as_slice(), b"\x07"].concat());
    }
}

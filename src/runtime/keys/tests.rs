//! Every byte a terminal may send, whole and in pieces.

use super::*;
use proptest::prelude::*;

fn heard(bytes: &[u8]) -> Vec<Heard> {
    let mut parser = Parser::default();
    let mut heard = parser.feed(bytes);
    if parser.patience().is_some() {
        heard.extend(parser.give_up());
    }
    heard
}

fn keys(bytes: &[u8]) -> Vec<(KeyCode, KeyModifiers)> {
    let of = |heard: Heard| match heard {
        Heard::Event(Event::Key(key)) => (key.code, key.modifiers),
        other => panic!("{other:?} is no key"),
    };
    heard(bytes).into_iter().map(of).collect()
}

const NONE: KeyModifiers = KeyModifiers::NONE;

#[test]
fn keys_of_the_usual_terminals_are_understood() {
    let table: &[(&[u8], KeyCode, KeyModifiers)] = &[
        (b"a", KeyCode::Char('a'), NONE),
        (b"H", KeyCode::Char('H'), KeyModifiers::SHIFT),
        (b"\r", KeyCode::Enter, NONE),
        (b"\t", KeyCode::Tab, NONE),
        (b"\x7f", KeyCode::Backspace, NONE),
        (b"\x08", KeyCode::Backspace, NONE),
        (b"\x03", KeyCode::Char('c'), KeyModifiers::CONTROL),
        (b"\x00", KeyCode::Char(' '), KeyModifiers::CONTROL),
        (b"\x1c", KeyCode::Char('4'), KeyModifiers::CONTROL),
        (b"\x1b", KeyCode::Esc, NONE),
        (b"\x1bx", KeyCode::Char('x'), KeyModifiers::ALT),
        (b"\x1b]", KeyCode::Char(']'), KeyModifiers::ALT),
        (b"\x1b[A", KeyCode::Up, NONE),
        (b"\x1bOB", KeyCode::Down, NONE),
        (b"\x1b[1;5C", KeyCode::Right, KeyModifiers::CONTROL),
        (b"\x1b[Z", KeyCode::BackTab, KeyModifiers::SHIFT),
        (b"\x1b[5~", KeyCode::PageUp, NONE),
        (b"\x1b[6;3~", KeyCode::PageDown, KeyModifiers::ALT),
        (b"\x1bOP", KeyCode::F(1), NONE),
        (b"\x1b[[B", KeyCode::F(2), NONE),
        (b"\x1b[15~", KeyCode::F(5), NONE),
        (b"\x1b[24~", KeyCode::F(12), NONE),
        (b"\x1b[13u", KeyCode::Enter, NONE),
        (b"\x1b[108;5u", KeyCode::Char('l'), KeyModifiers::CONTROL),
        ("ü".as_bytes(), KeyCode::Char('ü'), NONE),
        ("日".as_bytes(), KeyCode::Char('日'), NONE),
    ];
    for (bytes, code, mods) in table {
        assert_eq!(keys(bytes), [(*code, *mods)], "{bytes:?}");
    }
}

#[test]
fn what_is_typed_ahead_stays_in_order() {
    let typed: Vec<KeyCode> = keys(b" n\x1b[Bearly\r\x1b\x1b").into_iter().map(|(code, _)| code).collect();
    let mut expected = vec![KeyCode::Char(' '), KeyCode::Char('n'), KeyCode::Down];
    expected.extend("early".chars().map(KeyCode::Char));
    expected.extend([KeyCode::Enter, KeyCode::Esc, KeyCode::Esc]);
    assert_eq!(typed, expected);
}

#[test]
fn an_escape_waits_for_its_rest_and_is_a_key_alone() {
    let mut parser = Parser::default();
    assert_eq!(parser.feed(b"\x1b"), []);
    assert_eq!(parser.patience(), Some(KEY_GAP));
    assert_eq!(parser.feed(b"[A"), [key(KeyCode::Up, NONE)]);
    assert_eq!(parser.patience(), None);
    parser.feed(b"\x1b");
    assert_eq!(parser.give_up(), [key(KeyCode::Esc, NONE)]);
}

#[test]
fn a_paste_is_one_event_however_it_is_cut_and_no_key() {
    let bytes = b"\x1b[200~y\rH \x1b[A\x1b[201~q";
    for cut in 0..bytes.len() {
        let mut parser = Parser::default();
        let mut heard = parser.feed(&bytes[..cut]);
        heard.extend(parser.feed(&bytes[cut..]));
        let paste = Heard::Event(Event::Paste("y\rH \u{1b}[A".to_owned()));
        assert_eq!(heard, [paste, key(KeyCode::Char('q'), NONE)], "cut at {cut}");
    }
}

#[test]
fn a_paste_of_any_length_takes_no_more_room_than_a_page() {
    let mut parser = Parser::default();
    parser.feed(b"\x1b[200~");
    for _ in 0..1000 {
        assert_eq!(parser.feed(&[b'x'; 1000]), []);
    }
    let heard = parser.feed(b"\x1b[201~");
    let [Heard::Event(Event::Paste(text))] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(text.len(), PASTE);
}

#[test]
fn a_paste_without_an_end_is_over_after_a_pause() {
    let mut parser = Parser::default();
    assert_eq!(parser.feed(b"\x1b[200~rm"), []);
    assert_eq!(parser.patience(), Some(PASTE_GAP));
    assert!(matches!(parser.give_up().as_slice(), [Heard::Event(Event::Paste(_))]));
    assert_eq!(parser.feed(b"H"), [key(KeyCode::Char('H'), KeyModifiers::SHIFT)]);
}

#[test]
fn answers_of_the_terminal_are_no_keys() {
    assert_eq!(heard(b"\x1b[?62;22c"), [Heard::Answer]);
    for answer in [
        b"\x1b]10;rgb:0000/0000/0000\x1b\\".as_slice(),
        b"\x1b]11;no colour\x07",
        b"\x1b]11;rgb:/ffff/\x07",
        b"\x1b]11;\xff\x07",
        b"\x1bP>|XTerm(390)\x1b\\",
        b"\x1b[?2004;2$y",
        b"\x1b[12;40R",
        b"\x1b[?997;3n",
        b"\x1b[0n",
        b"\x1b[I",
        b"\x1b[<0;10;10M",
        b"\x1b[M !!",
        b"\x1b[?1u",
    ] {
        assert_eq!(heard(&[answer, b"q"].concat()), [key(KeyCode::Char('q'), NONE)], "{answer:?}");
    }
}

#[test]
fn a_terminal_says_how_light_its_background_is_and_whether_it_knows_synchronized_updates() {
    for (answer, is_light) in [
        (b"\x1b]11;rgb:0000/0000/0000\x1b\\".as_slice(), false),
        (b"\x1b]11;rgb:ffff/ffff/ffff\x07", true),
        (b"\x1b]11;rgb:fd/f6/e3\x1b\\", true),
        (b"\x1b]11;rgba:1e1e/1e1e/1e1e/ffff\x1b\\", false),
        (b"\x1b]11;rgb:0000/0000/ffff\x07", false),
    ] {
        assert_eq!(heard(answer), [Heard::Background(is_light)], "{answer:?}");
    }
    assert_eq!(heard(b"\x1b[?997;1n"), [Heard::Background(false)]);
    assert_eq!(heard(b"\x1b[?997;2n"), [Heard::Background(true)]);
    assert_eq!(heard(b"\x1b[?2026;2$y"), [Heard::Synchronized(true)]);
    assert_eq!(heard(b"\x1b[?2026;0$y"), [Heard::Synchronized(false)]);
}

#[test]
fn a_sequence_that_was_broken_off_does_not_swallow_the_next_key() {
    assert_eq!(heard(b"\x1b[12\x1b[A"), [key(KeyCode::Up, NONE)]);
    assert_eq!(heard(b"\xc3q"), [key(KeyCode::Char('q'), NONE)]);
    assert_eq!(heard(b"\xffq"), [key(KeyCode::Char('q'), NONE)]);
}

proptest! {
    #[test]
    fn no_bytes_panic_or_jam_the_parser(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0..200_usize,
    ) {
        let cut = cut.min(bytes.len());
        let mut parser = Parser::default();
        parser.feed(&bytes[..cut]);
        parser.feed(&bytes[cut..]);
        // However it began: a moment later, hold works again.
        parser.give_up();
        prop_assert_eq!(parser.feed(b"H"), [key(KeyCode::Char('H'), KeyModifiers::SHIFT)]);
    }

    #[test]
    fn where_the_bytes_are_cut_does_not_matter(cut in 0..24_usize) {
        let bytes = "x\u{1b}[1;5Aü\u{1b}OP\u{1b}[?6cH\u{1b}[200~p\u{1b}[201~".as_bytes();
        let cut = cut.min(bytes.len());
        let mut parser = Parser::default();
        let mut pieces = parser.feed(&bytes[..cut]);
        pieces.extend(parser.feed(&bytes[cut..]));
        prop_assert_eq!(pieces, heard(bytes));
    }
}

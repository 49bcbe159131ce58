//! Foreign text through what the command line prints: `status`, the last words, errors.

use pilothouse::cli::{Area, Line, Report, State, json, text};
use pilothouse::core::{Advice, EventRow, Header, NoticeRow, RingRow, View};
use pilothouse::runtime::state_in_words;
use std::process::Command;

/// Text that would drive a terminal, hide or reorder what stands beside it.
const HOSTILE: &[&str] = &[
    "\x1b[2J\x1b]0;owned\x07",
    "\x1b]52;c;aGk=\x1b\\",
    "\u{9b}2J\u{9d}0;x\u{9c}",
    "a\u{202e}b\u{2066}c\u{200b}",
    "tag\u{e0041}\u{e007f}",
    "line\u{2028}feed\rreturn\nnew",
];

fn view(text: &str) -> View {
    let text = text.to_owned();
    View {
        header: Header {
            environment: text.clone(),
            cluster: text.clone(),
            namespace: text.clone(),
            plan: text.clone(),
            release: text.clone(),
            old_version: text.clone(),
            new_version: text.clone(),
            driver: Some((text.clone(), 3)),
            state: "HOLD".to_owned(),
            why: text.clone(),
            ring: text.clone(),
            stale: vec![text.clone()],
            wave: (1, 3),
            ..Header::default()
        },
        rings: vec![RingRow { name: text.clone(), state: text.clone(), ..RingRow::default() }],
        events: vec![EventRow { what: text.clone(), by: text.clone(), result: text.clone(), ..EventRow::default() }],
        notices: vec![NoticeRow { text: text.clone(), ..NoticeRow::default() }],
        advice: Advice { text: text.clone(), ..Advice::default() },
        way_out: text,
        ..View::default()
    }
}

/// Tells whether a terminal would do more than show this.
fn is_plain(text: &str) -> bool {
    let moves = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
    };
    !text.chars().any(moves)
}

#[test]
fn status_and_last_words_show_foreign_text_and_let_it_drive_nothing() {
    for hostile in HOSTILE {
        let view = view(hostile);
        for printed in [text(&view), json(&view).unwrap(), state_in_words(&view)] {
            assert!(is_plain(&printed), "{hostile:?}: {printed:?}");
        }
        // A line of ours stays a line: foreign breaks make no new ones.
        assert_eq!(text(&view).lines().count(), text(&self::view("x")).lines().count(), "{hostile:?}");
    }
}

#[test]
fn doctor_shows_foreign_text_and_lets_it_drive_nothing() {
    for hostile in HOSTILE {
        let line = Line::new(Area::Plan, "plan", State::Refused, *hostile);
        let report = Report { lines: vec![line], next: (*hostile).to_owned() };
        for printed in [report.text(), json(&report).unwrap()] {
            assert!(is_plain(&printed), "{hostile:?}: {printed:?}");
        }
    }
}

#[test]
fn errors_of_the_command_line_show_foreign_arguments_and_let_them_drive_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for hostile in &HOSTILE[..4] {
        for arguments in
            [["--theme", hostile, "status"], ["--kubeconfig", hostile, "status"], ["demo", "--scenario", hostile]]
        {
            let output = Command::new(env!("CARGO_BIN_EXE_pilothouse"))
                .args(arguments)
                .env("PILOTHOUSE_CONFIG_DIR", folder.path())
                .env("PILOTHOUSE_STATE_DIR", folder.path())
                .env_remove("KUBECONFIG")
                .output()
                .unwrap();
            assert!(!output.status.success(), "{arguments:?}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            assert!(is_plain(&said) && !said.is_empty(), "{arguments:?}: {said:?}");
        }
    }
}

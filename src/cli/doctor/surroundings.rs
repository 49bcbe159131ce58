//! The terminal and the files of this machine.

use super::{Area, Line, State};
use crate::model::Finding;
use crate::runtime::Inquiry;
use crate::ui::{Palette, Theme};
use std::path::PathBuf;

/// What this machine says of itself.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// `TERM`.
    pub term: Option<String>,
    /// `COLORTERM`.
    pub colors: Option<String>,
    /// The program that stands between, such as `tmux`.
    pub inside: Option<&'static str>,
    /// Whether the terminal is at the other end of an SSH connection.
    pub remote: bool,
    /// Columns and rows; `None` without a terminal.
    pub size: Option<(u16, u16)>,
    /// Whether the locale's characters are UTF-8.
    pub is_utf8: bool,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// The theme that holds; `None` when none could be chosen.
    pub theme: Option<Theme>,
    /// The folder of the configuration.
    pub config: Option<PathBuf>,
    /// Whether there is a `config.toml`.
    pub has_config: bool,
    /// Every mistake in the configuration, the theme and the keymap.
    pub mistakes: Vec<Finding>,
    /// What the terminal has said of itself; `None` where it could not be asked.
    pub said: Option<Inquiry>,
    /// The folder of the logs.
    pub logs: Option<PathBuf>,
}

/// The smallest terminal that shows the main screen, columns and rows.
const SMALLEST: (u16, u16) = (60, 16);

/// Looks at the terminal and the files.
pub fn lines(around: &Around) -> Vec<Line> {
    let mut lines = vec![terminal(around), letters(around)];
    lines.extend(colors(around));
    lines.extend(around.said.map(|said| answers(&said)));
    lines.extend(around.size.map(|_| clipboard(around.inside)));
    lines.extend(files(around));
    lines
}

fn terminal(around: &Around) -> Line {
    let line = |state, text: String| Line::new(Area::Terminal, "terminal.size", state, text);
    let Some((columns, rows)) = around.size else {
        return line(State::Note, "there is no terminal here: verbs work, the console needs one".into());
    };
    let term = around.term.as_deref().unwrap_or_default();
    let inside = around.inside.map(|name| format!(", inside {name}")).unwrap_or_default();
    let remote = if around.remote { ", over SSH" } else { "" };
    let is = format!("TERM {}, {columns}x{rows}{inside}{remote}", if term.is_empty() { "is not set" } else { term });
    if term.is_empty() || term == "dumb" {
        return line(State::Warn, format!("{is}: the console cannot draw; set TERM, such as xterm-256color"));
    }
    if columns < SMALLEST.0 || rows < SMALLEST.1 {
        return line(
            State::Note,
            format!("{is}: below {}x{} only a card with the essentials is shown", SMALLEST.0, SMALLEST.1),
        );
    }
    line(State::Ok, is)
}

fn letters(around: &Around) -> Line {
    if around.is_utf8 {
        return Line::new(Area::Terminal, "terminal.utf8", State::Ok, "the locale says UTF-8");
    }
    let text = "the locale does not say UTF-8 (LC_ALL, LC_CTYPE, LANG): everything is drawn with ASCII alone";
    Line::new(Area::Terminal, "terminal.utf8", State::Note, text)
}

fn colors(around: &Around) -> Option<Line> {
    let theme = around.theme.as_ref()?;
    let (name, palette) = (theme.name(), theme.palette());
    let used = format!("the theme {name} uses {}", palette.words());
    let text = match (palette, around.no_color, &around.colors) {
        (Palette::None, true, _) => format!("NO_COLOR is set: {used}, words and glyphs say everything"),
        (Palette::None, false, _) => format!("{used}: words and glyphs say everything"),
        (_, true, _) => format!("NO_COLOR is set, but a theme is chosen: {used}"),
        (_, false, Some(colors)) => format!("{used} (COLORTERM {colors})"),
        (_, false, None) => used,
    };
    around.size.map(|_| Line::new(Area::Terminal, "terminal.colours", State::Ok, text))
}

/// Says what the terminal answers, and what an answer that does not come costs.
fn answers(said: &Inquiry) -> Line {
    let line = |state, text: String| Line::new(Area::Terminal, "terminal.answers", state, text);
    let Some(took) = said.took else {
        let text =
            "the terminal answers no question: dialogs wait 400 ms whatever the line, and the theme auto is dark16";
        return line(State::Note, text.into());
    };
    let background = match said.is_light {
        Some(true) => "its background is light",
        Some(false) => "its background is dark",
        None => "its background it does not say, so the theme auto is dark16",
    };
    let updates = match said.synchronized {
        Some(true) => "it draws a frame at once (mode 2026)",
        Some(false) | None => "it does not know synchronized updates (mode 2026), so a frame may be seen half drawn",
    };
    line(State::Ok, format!("the terminal answers in {} ms; {updates}; {background}", took.as_millis()))
}

fn clipboard(inside: Option<&str>) -> Line {
    let line = |state, text: &str| Line::new(Area::Terminal, "terminal.clipboard", state, text);
    match inside {
        Some("tmux") => line(
            State::Note,
            "copies go to the terminal by OSC 52; tmux lets them through with `set -g set-clipboard on` or `set -g allow-passthrough on`",
        ),
        Some(_) => line(State::Ok, "copies go to the terminal by OSC 52, wrapped for screen"),
        None => line(State::Ok, "copies go to the terminal by OSC 52"),
    }
}

fn files(around: &Around) -> Vec<Line> {
    let line = |check: &str, state, text: String| Line::new(Area::Files, check, state, text);
    let mut lines: Vec<Line> =
        around.mistakes.iter().map(|finding| line(&finding.check, State::Refused, finding.text.clone())).collect();
    if lines.is_empty() {
        lines.push(match &around.config {
            Some(folder) if around.has_config => {
                line("config.file", State::Ok, format!("{} has no mistake", folder.join("config.toml").display()))
            }
            Some(folder) => line(
                "config.file",
                State::Ok,
                format!("there is no {}: what is built in holds", folder.join("config.toml").display()),
            ),
            None => line("config.file", State::Note, "this machine has no place for a config.toml".into()),
        });
    }
    lines.push(match &around.logs {
        Some(folder) => line("log.folder", State::Ok, format!("logs go to {}", folder.display())),
        None => line("log.folder", State::Note, "there is no place for logs: set PILOTHOUSE_STATE_DIR".into()),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(around: &Around) -> Vec<(State, String)> {
        lines(around).into_iter().map(|line| (line.state, line.text)).collect()
    }

    #[test]
    fn a_good_terminal_is_well_and_a_dumb_one_is_warned_of() {
        let mut around =
            Around { term: Some("xterm".into()), size: Some((80, 24)), is_utf8: true, ..Around::default() };
        around.inside = Some("tmux");
        assert_eq!(said(&around)[0], (State::Ok, "TERM xterm, 80x24, inside tmux".into()));
        around.term = Some("dumb".into());
        assert_eq!(
            said(&around)[0],
            (
                State::Warn,
                "TERM dumb, 80x24, inside tmux: the console cannot draw; set TERM, such as xterm-256color".into()
            )
        );
        around.size = Some((59, 24));
        around.term = Some("xterm".into());
        assert_eq!(said(&around)[0].0, State::Note);
        around.size = None;
        assert_eq!(said(&around)[0].1, "there is no terminal here: verbs work, the console needs one");
    }

    #[test]
    fn the_colours_are_those_of_the_theme_also_where_it_wins_over_no_color() {
        let text = |theme: &str, no_color: bool| {
            let theme = Theme::builtin(theme).ok();
            let around = Around { theme, no_color, size: Some((80, 24)), ..Around::default() };
            colors(&around).unwrap().text
        };
        assert_eq!(text("dark16", false), "the theme dark16 uses 16 colours");
        assert_eq!(text("truecolor-dark", false), "the theme truecolor-dark uses true colour");
        assert_eq!(
            text("mono", true),
            "NO_COLOR is set: the theme mono uses no colour, words and glyphs say everything"
        );
        assert_eq!(text("light16", true), "NO_COLOR is set, but a theme is chosen: the theme light16 uses 16 colours");
    }

    #[test]
    fn what_the_terminal_answers_is_said_and_silence_is_no_fault() {
        let said = |inquiry: Inquiry| answers(&inquiry);
        let took = Some(std::time::Duration::from_millis(4));
        let line = said(Inquiry { took, synchronized: Some(true), is_light: Some(false) });
        assert_eq!(
            line.text,
            "the terminal answers in 4 ms; it draws a frame at once (mode 2026); its background is dark"
        );
        let line = said(Inquiry { took, ..Inquiry::default() });
        assert!(line.text.contains("does not know synchronized updates") && line.state == State::Ok);
        assert_eq!(said(Inquiry::default()).state, State::Note);
        assert!(clipboard(Some("tmux")).text.contains("allow-passthrough"));
    }

    #[test]
    fn every_mistake_of_the_files_is_refused() {
        let mistakes = vec![Finding::refuse("config.unknown", "a"), Finding::refuse("theme.unknown", "b")];
        let around = Around { mistakes, ..Around::default() };
        let refused: Vec<String> =
            said(&around).into_iter().filter(|(state, _)| *state == State::Refused).map(|(_, text)| text).collect();
        assert_eq!(refused, ["a", "b"]);
    }
}

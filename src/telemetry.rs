//! Logs and the last words of a program that failed.
//!
//! A terminal program has no place to print: logs go to a file per day that only its owner may read, a failure's report
//! to the terminal after it was brought back, and to a file beside the logs.

use crate::ui::Safe;
use color_eyre::config::{HookBuilder, Theme};
use color_eyre::section::PanicMessage;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// How many days of logs are kept.
const DAYS: usize = 7;
/// How many lines may wait for the disk; room for them is taken at once, and 128 000, the usual number, take 4 MB.
const LINES: usize = 4096;
/// Held by whoever says the last words, to the end.
static FAILING: Mutex<()> = Mutex::new(());
/// What can be done after a panic, whatever it was.
const HINT: &str =
    "Nothing moves without a console. Open another one to go on; `pilothouse rollback` brings everybody back.";

/// Returns the folder of logs and reports: `PILOTHOUSE_STATE_DIR`, else the place of this operating system.
pub fn folder(variable: Option<&str>) -> Option<PathBuf> {
    match variable {
        Some(path) => Some(PathBuf::from(path)),
        None => directories::ProjectDirs::from("", "", "pilothouse")
            .map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned()),
    }
}

/// Starts logging to files in `folder`; the guard writes out what is left when it is dropped.
///
/// `filter` is `PILOTHOUSE_LOG`: levels for all or for some modules, such as `pilothouse=debug,warn`. A filter that cannot
/// be read counts as none: logging must not keep a console from opening.
///
/// # Errors
/// Fails when the folder cannot be made or written, or when logging has been started before.
pub fn start(folder: &Path, filter: Option<&str>) -> io::Result<WorkerGuard> {
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(Private::open(folder)?);
    subscriber(filter, writer).try_init().map_err(io::Error::other)?;
    Ok(guard)
}

fn subscriber<W>(filter: Option<&str>, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let usual = || Targets::new().with_default(LevelFilter::WARN).with_target("pilothouse", LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    tracing_subscriber::registry().with(filter.and_then(levels).unwrap_or_else(usual)).with(lines)
}

/// Reads a filter; `None` when it is none.
fn levels(text: &str) -> Option<Targets> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let filter: Targets = parts.join(",").parse().ok().filter(|_| !parts.is_empty())?;
    // Any text counts as the name of a module there.
    let is_module = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'));
    filter.iter().all(|(name, _)| is_module(name)).then_some(filter)
}

/// Opens the file that takes standard error while a screen is open.
///
/// # Errors
/// Fails when the folder cannot be made or written.
pub fn errors(folder: &Path) -> io::Result<File> {
    make_private_folder(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join("stderr.txt"))
}

/// Makes a panic anywhere end the program in good order: terminal, log, report, exit code 101.
///
/// `restore` brings the terminal back; `state` says in a sentence where the release stands; `say` writes the report and
/// does not wait for a terminal that does not read. A console that has lost one of its tasks must not go on as if
/// nothing had happened; a dead console means that nothing moves forward.
///
/// # Errors
/// Fails when a hook has been installed before.
pub fn install_last_words(
    folder: Option<PathBuf>,
    restore: fn(),
    state: fn() -> String,
    say: fn(String),
) -> Result<(), color_eyre::Report> {
    let (panic_hook, eyre_hook) = HookBuilder::default()
        .theme(Theme::new())
        .panic_message(Plain)
        .display_env_section(false)
        .display_location_section(true)
        // Colours would reach the report's file, and a standard error that is no terminal.
        .theme(color_eyre::config::Theme::new())
        .panic_section(HINT)
        .into_hooks();
    eyre_hook.install()?;
    let panic_hook = Arc::new(panic_hook);
    std::panic::set_hook(Box::new(move |info| {
        // Parts that fail together take turns, and the first ends the program.
        let _turn = FAILING.lock();
        restore();
        let report = format!("{}\n\n{}\n", panic_hook.panic_report(info), state());
        tracing::error!("panic: {info}");
        let place = folder.as_deref().and_then(|folder| save_report(folder, &report).ok());
        let copy = place.map(|place| format!("This report is also in {}.\n", place.display()));
        say(format!("{report}{}", copy.unwrap_or_default()));
        std::process::exit(101);
    }));
    Ok(())
}

/// What a part said as it failed. A panic quotes the text that it was about, so that is foreign, too.
struct Plain;

impl PanicMessage for Plain {
    fn display(&self, info: &PanicHookInfo<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = info.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        let place = info.location().map_or_else(|| "not known".to_owned(), ToString::to_string);
        writeln!(f, "The program has failed.")?;
        writeln!(f, "Message:  {}", Safe::new(text.unwrap_or("none")))?;
        write!(f, "Location: {}", Safe::new(&place))
    }
}

fn save_report(folder: &Path, report: &str) -> io::Result<PathBuf> {
    make_private_folder(folder)?;
    let path = folder.join(format!("panic-{}.txt", std::process::id()));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path)?;
    file.write_all(report.as_bytes())?;
    Ok(path)
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The log as it reaches the disk: each event one line, without anything that drives the terminal of whoever reads it.
///
/// The rolling appender makes its files readable for whoever may enter the folder; this closes each one as it appears.
struct Private {
    folder: PathBuf,
    files: RollingFileAppender,
}

impl Private {
    fn open(folder: &Path) -> io::Result<Self> {
        make_private_folder(folder)?;
        let files = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("pilothouse")
            .filename_suffix("log")
            .max_log_files(DAYS)
            .build(folder)
            .map_err(io::Error::other)?;
        Ok(Self { folder: folder.to_owned(), files })
    }
}

impl Write for Private {
    /// Takes one whole event, as the subscriber writes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = Safe::whole(text.strip_suffix('\n').unwrap_or(&text));
        self.files.write_all(format!("{line}\n").as_bytes())?;
        close_to_others(&self.folder)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.flush()
    }
}

fn close_to_others(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with("pilothouse.");
        if is_ours && entry.metadata()?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_read_a_log() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("logs");
        Private::open(&folder).unwrap().write_all(b"a line\n").unwrap();
        let modes: Vec<u32> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
            .collect();
        assert_eq!(modes, [0o600]);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    /// Logs some events of each kind through a filter, and returns the lines on the disk.
    fn logged(filter: Option<&str>) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let log = Mutex::new(Private::open(place.path()).unwrap());
        tracing::subscriber::with_default(subscriber(filter, log), || {
            let foreign = "denied\n2026-05-04T03:00:00Z ERROR forged\r\u{2028}a\u{202e}b\u{200b}c\x1b[2J";
            tracing::warn!(target: "pilothouse::cli", rejection = %foreign, "{foreign}");
            tracing::info!(target: "pilothouse", "ours");
            tracing::debug!(target: "pilothouse::core", "detail");
            tracing::info!(target: "kube::client", "theirs");
        });
        let file = fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
        fs::read_to_string(file).unwrap().split_terminator('\n').map(str::to_owned).collect()
    }

    #[test]
    fn an_event_is_one_line_whatever_the_texts_in_it_hold() {
        let lines = logged(Some("pilothouse=info"));
        assert_eq!(lines.len(), 2, "{lines:?}");
        let end = " rejection=denied 2026-05-04T03:00:00Z ERROR forged  abc?[2J";
        assert!(lines[0].contains(" pilothouse::cli: denied 2026-05-04T03") && lines[0].ends_with(end), "{lines:?}");
        assert!(lines[1].ends_with("INFO pilothouse: ours"), "{lines:?}");
    }

    #[test]
    fn a_filter_says_how_much_is_logged_of_what_and_one_that_cannot_be_read_counts_as_none() {
        for (filter, lines) in [
            ("pilothouse=debug", 3),
            ("debug", 4),
            ("pilothouse=info,warn", 2),
            ("pilothouse::cli=warn, kube=info,", 2),
            ("error", 0),
        ] {
            assert_eq!(logged(Some(filter)).len(), lines, "{filter}");
        }
        for none in ["pilothouse=loud", "pilothouse=info=warn", "say it all", "pilothouse[span]=debug", ",", ""] {
            assert!(levels(none).is_none(), "{none:?}");
        }
        assert_eq!(logged(Some("say it all")).len(), logged(Some("pilothouse=info,warn")).len());
        assert_eq!(logged(None).len(), 2);
    }

    #[test]
    fn a_folder_of_ones_own_wins() {
        assert_eq!(folder(Some("/somewhere")), Some(PathBuf::from("/somewhere")));
        assert_ne!(folder(None), Some(PathBuf::from("/somewhere")));
    }
}

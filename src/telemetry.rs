//! Logs and the last words of a program that failed.
//!
//! A terminal program has no place to print: logs go to a file per day that only its owner may read, a failure's report
//! to the terminal after it was brought back, and to a file beside the logs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// How many days of logs are kept.
const DAYS: usize = 7;
/// How many lines may wait for the disk; room for them is taken at once, and 128 000, the usual number, take 4 MB.
const LINES: usize = 4096;
/// Held by whoever says the last words, to the end.
static FAILING: Mutex<()> = Mutex::new(());
/// What can be done after a panic, whatever it was.
const HINT: &str =
    "Nothing moves without a console. Open another one to go on; `pilothouse rollback` brings everybody back.";
/// What is logged when nothing is asked for.
const FILTER: &str = "pilothouse=info,warn";

/// Returns the folder of logs and reports: `PILOTHOUSE_STATE_DIR`, else the place of this operating system.
pub fn folder(variable: Option<&str>) -> Option<PathBuf> {
    match variable.filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => directories::ProjectDirs::from("", "", "pilothouse")
            .map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned()),
    }
}

/// Starts logging to files in `folder`; the guard writes out what is left when it is dropped.
///
/// `filter` is `PILOTHOUSE_LOG`, in the form of tracing's filters, such as `pilothouse=debug`. A filter that cannot be
/// read counts as none: logging must not keep a console from opening.
///
/// # Errors
/// Fails when the folder cannot be made or written, or when logging has been started before.
pub fn start(folder: &Path, filter: Option<&str>) -> io::Result<WorkerGuard> {
    make_private_folder(folder)?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("pilothouse")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(folder)
        .map_err(io::Error::other)?;
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(Private { folder: folder.to_owned(), files });
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer)
        .try_init()
        .map_err(io::Error::other)?;
    Ok(guard)
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
    let (panic_hook, eyre_hook) = color_eyre::config::HookBuilder::default()
        .display_env_section(false)
        .display_location_section(true)
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

/// The rolling appender makes its files readable for whoever may enter the folder; this closes each one as it appears.
struct Private {
    folder: PathBuf,
    files: RollingFileAppender,
}

impl Write for Private {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.files.write(bytes)?;
        close_to_others(&self.folder)?;
        Ok(written)
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
        make_private_folder(&folder).unwrap();
        let files = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("pilothouse")
            .filename_suffix("log")
            .build(&folder)
            .unwrap();
        let mut log = Private { folder: folder.clone(), files };
        log.write_all(b"a line\n").unwrap();
        let modes: Vec<u32> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
            .collect();
        assert_eq!(modes, [0o600]);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_of_ones_own_wins() {
        assert_eq!(folder(Some("/somewhere")), Some(PathBuf::from("/somewhere")));
        assert_eq!(folder(Some("")), folder(None));
    }
}

//! Exports to files: new ones, whole or not at all, for their owner alone.

use crate::ui::Export;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How many names are tried while others are taken.
const TRIES: usize = 100;

/// Writes an export into a folder, which is made where it is missing; returns the files.
///
/// No file is ever overwritten: a second export of the same second gets a number. A file has its name only once it is
/// whole and on the disk.
///
/// # Errors
/// Fails when the folder or a file cannot be made.
pub fn save(folder: &Path, export: &Export) -> io::Result<Vec<PathBuf>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut parts = Vec::new();
    let result = write_parts(folder, export, &mut parts).and_then(|()| publish(folder, export, &parts));
    // A part that cannot be removed has a name that nobody takes for an export.
    parts.iter().for_each(|part| drop(fs::remove_file(part)));
    result
}

fn write_parts(folder: &Path, export: &Export, parts: &mut Vec<PathBuf>) -> io::Result<()> {
    for (ending, text) in &export.files {
        let part = folder.join(format!(".{}.{ending}.part-{}", export.stem, std::process::id()));
        // One that a killed program of the same number has left behind.
        drop(fs::remove_file(&part));
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&part)?;
        parts.push(part);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

/// Gives every part its name, under the first stem that none of them has taken.
fn publish(folder: &Path, export: &Export, parts: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    for number in 1..=TRIES {
        let stem = if number == 1 { export.stem.clone() } else { format!("{}-{number}", export.stem) };
        let mut made: Vec<PathBuf> = Vec::new();
        let mut failed = None;
        for ((ending, _), part) in export.files.iter().zip(parts) {
            let path = folder.join(format!("{stem}.{ending}"));
            // A link fails where the name is taken; a rename would overwrite.
            match fs::hard_link(part, &path) {
                Ok(()) => made.push(path),
                Err(error) => failed = Some(error),
            }
            if failed.is_some() {
                break;
            }
        }
        let Some(error) = failed else { return Ok(made) };
        made.iter().for_each(|path| drop(fs::remove_file(path)));
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(error);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{TRIES} exports of this second are there already")))
}

/// Says where files of one stem are, in as few characters as a person can paste; `home` is written as `~`.
pub fn in_words(files: &[PathBuf], home: Option<&Path>) -> String {
    let Some(first) = files.first() else { return String::new() };
    let stem = first.with_extension("");
    let short = match home.filter(|home| home.is_absolute()).and_then(|home| stem.strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", rest.display()),
        None => stem.display().to_string(),
    };
    let endings: Vec<&str> = files.iter().filter_map(|file| file.extension()?.to_str()).collect();
    match endings.as_slice() {
        [one] => format!("{short}.{one}"),
        many => format!("{short}.{{{}}}", many.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn export() -> Export {
        Export {
            what: "1 record".into(),
            stem: "audit-x".into(),
            files: vec![("md", "a".into()), ("json", "b".into())],
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_export_is_private_whole_and_never_takes_another_ones_place() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state").join("exports");
        let first = save(&folder, &export()).unwrap();
        let again = Export { files: vec![("md", "c".into()), ("json", "d".into())], ..export() };
        let second = save(&folder, &again).unwrap();
        assert_eq!(names(&folder), ["audit-x-2.json", "audit-x-2.md", "audit-x.json", "audit-x.md"]);
        assert_eq!(first, [folder.join("audit-x.md"), folder.join("audit-x.json")]);
        assert_eq!(fs::read_to_string(&first[0]).unwrap(), "a");
        assert_eq!(fs::read_to_string(&second[1]).unwrap(), "d");
        for file in first.iter().chain(&second) {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn forms_of_one_export_keep_one_name_also_where_only_one_of_them_is_taken() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("audit-x.json"), "mine").unwrap();
        let files = save(place.path(), &export()).unwrap();
        assert_eq!(files, [place.path().join("audit-x-2.md"), place.path().join("audit-x-2.json")]);
        assert_eq!(names(place.path()), ["audit-x-2.json", "audit-x-2.md", "audit-x.json"]);
        assert_eq!(fs::read_to_string(place.path().join("audit-x.json")).unwrap(), "mine");
    }

    #[test]
    fn a_symbolic_link_in_the_way_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("precious");
        fs::write(&target, "keep").unwrap();
        std::os::unix::fs::symlink(&target, place.path().join("audit-x.md")).unwrap();
        save(place.path(), &export()).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "keep");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        assert!(save(&place.path().join("file").join("exports"), &export()).is_err());
        assert_eq!(names(place.path()), ["file"]);
    }

    #[test]
    fn the_place_is_said_with_the_home_as_a_tilde() {
        let files = [PathBuf::from("/home/kim/s/audit-x.md"), PathBuf::from("/home/kim/s/audit-x.json")];
        assert_eq!(in_words(&files, Some(Path::new("/home/kim"))), "~/s/audit-x.{md,json}");
        assert_eq!(in_words(&files[..1], Some(Path::new("/root"))), "/home/kim/s/audit-x.md");
        assert_eq!(in_words(&files[..1], None), "/home/kim/s/audit-x.md");
    }
}

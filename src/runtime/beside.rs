//! What goes out beside pictures: title, bell, clipboard, exports.

use super::manners::Manners;
use super::{clipboard, exports};
use crate::core::View;
use crate::ui::{Bell, Export, Safe, title};
use tokio::task::JoinHandle;

/// What has gone out, and what is on its way.
pub(super) struct Beside {
    manners: Manners,
    bell: Bell,
    title: Option<Safe>,
    saving: Option<JoinHandle<Result<String, String>>>,
}

impl Beside {
    /// Begins with nothing.
    pub fn new(manners: Manners) -> Self {
        Self { manners, bell: Bell::default(), title: None, saving: None }
    }

    /// Forgets what the terminal was told: another program may have had it in between.
    pub fn forget(&mut self) {
        self.title = None;
    }

    /// Returns what the terminal is to be told of a picture; nothing when it knows.
    pub fn look(&mut self, view: &View) -> Vec<u8> {
        let mut bytes = Vec::new();
        let now = title(view);
        if self.manners.title && self.title.as_ref() != Some(&now) {
            bytes.extend(format!("\x1b]0;{now}\x1b\\").into_bytes());
            self.title = Some(now);
        }
        if self.bell.rings(view) && self.manners.bell {
            bytes.push(0x07);
        }
        bytes
    }

    /// Returns what gives a text to the terminal's clipboard; `None` where the terminal would print it.
    pub fn copy(&self, text: &str) -> Option<Vec<u8>> {
        self.manners.clipboard.then(|| clipboard::copy(text, self.manners.between))
    }

    /// Begins to write an export, on a thread of its own: a slow disk must not hold up a key.
    ///
    /// While one is under way another key press means the same one.
    pub fn save(&mut self, export: Export) {
        if self.saving.is_some() {
            return;
        }
        let manners = self.manners.clone();
        self.saving = Some(tokio::task::spawn_blocking(move || {
            let Some(folder) = &manners.exports else {
                return Err("this machine has no place for exports: name one with --export-dir".to_owned());
            };
            let failed = |error: std::io::Error| format!("write to {}: {error}", folder.display());
            let files = exports::save(folder, &export).map_err(failed)?;
            tracing::info!(?files, "export");
            Ok(exports::in_words(&files, manners.home.as_deref()))
        }));
    }

    /// Waits until an export has been written, and says where or why not; never returns while there is none.
    pub async fn saved(&mut self) -> Result<String, String> {
        let Some(saving) = &mut self.saving else { return std::future::pending().await };
        let result = saving.await.unwrap_or_else(|error| Err(error.to_string()));
        self.saving = None;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Header;

    fn view(state: &str) -> View {
        View { header: Header { state: state.into(), plan: "trackx".into(), ..Header::default() }, ..View::default() }
    }

    #[test]
    fn the_terminal_is_told_only_what_is_new_and_only_what_it_may_be() {
        let mut beside = Beside::new(Manners { title: true, bell: true, ..Manners::default() });
        assert_eq!(beside.look(&view("BAKING")), b"\x1b]0;[BAKING] trackx\x1b\\");
        assert_eq!(beside.look(&view("BAKING")), b"");
        assert_eq!(beside.look(&view("HOLD")), b"\x1b]0;[HOLD!] trackx\x1b\\\x07");
        beside.forget();
        assert_eq!(beside.look(&view("HOLD")), b"\x1b]0;[HOLD!] trackx\x1b\\");
        let mut silent = Beside::new(Manners::default());
        assert_eq!([silent.look(&view("BAKING")), silent.look(&view("HOLD"))].concat(), b"");
    }

    #[test]
    fn a_text_is_copied_only_where_the_terminal_does_not_print_it() {
        let able = Beside::new(Manners { clipboard: true, ..Manners::default() });
        assert_eq!(able.copy("hi").unwrap(), b"\x1b]52;c;aGk=\x1b\\");
        assert_eq!(Beside::new(Manners::default()).copy("hi"), None);
    }

    #[tokio::test]
    async fn an_export_is_written_and_its_place_is_said() {
        let place = tempfile::tempdir().unwrap();
        let manners =
            Manners { exports: Some(place.path().join("e")), home: Some(place.path().into()), ..Manners::default() };
        let mut beside = Beside::new(manners);
        let export =
            || Export { what: "x".into(), stem: "audit".into(), files: vec![("md", "a".into()), ("json", "b".into())] };
        beside.save(export());
        assert_eq!(beside.saved().await, Ok("~/e/audit.{md,json}".to_owned()));
        beside.save(export());
        beside.save(export());
        assert_eq!(beside.saved().await, Ok("~/e/audit-2.{md,json}".to_owned()));
        assert_eq!(std::fs::read_dir(place.path().join("e")).unwrap().count(), 4, "the second of two is the first");
        let mut nowhere = Beside::new(Manners::default());
        nowhere.save(export());
        assert!(nowhere.saved().await.unwrap_err().contains("--export-dir"));
    }
}

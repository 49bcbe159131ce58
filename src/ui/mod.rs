//! The face of the console: turns a view into a picture and keys into orders; knows nothing of the cluster.

mod ask;
mod big;
mod chart;
mod chord;
mod clock;
mod console;
mod dialog;
pub mod export;
mod filter;
mod keymap;
mod kiosk;
mod list;
mod no_data;
mod num;
mod paint;
mod panel;
mod pick;
mod places;
mod privacy;
mod safe;
mod scene;
mod screen;
mod search;
#[cfg(test)]
mod tests;
pub mod text;
mod theme;
mod title;
mod told;

pub use ask::Ask;
pub use chord::Chord;
pub use console::{Look, Origin, Ui};
pub use export::{Export, json};
pub use keymap::{Binding, Keymap, Lookup, Place};
pub use kiosk::Kiosk;
pub use privacy::Mask;
pub use safe::Safe;
pub use theme::{Palette, Role, Theme};
pub use title::{Bell, title};
pub use told::Told;

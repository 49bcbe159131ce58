//! The face of the console: turns a view into a picture and keys into orders; knows nothing of the cluster.

mod big;
mod chart;
mod chord;
mod clock;
mod console;
mod dialog;
mod filter;
mod keymap;
mod kiosk;
mod list;
mod num;
mod paint;
mod panel;
mod pick;
mod places;
mod privacy;
mod round_trip;
mod safe;
mod scene;
mod screen;
#[cfg(test)]
mod tests;
pub mod text;
mod theme;

pub use chord::Chord;
pub use console::{Ask, Look, Ui};
pub use keymap::{Binding, Keymap, Lookup, Place};
pub use kiosk::Kiosk;
pub use round_trip::RoundTrip;
pub use safe::Safe;
pub use theme::{Role, Theme};

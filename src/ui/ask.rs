//! What the console wants done that it cannot do itself.

use super::export::Export;
use crate::core::Command;

/// What the console asks of the runtime.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Carry out a command.
    Run {
        /// The command.
        command: Command,
        /// Identifies what was shown when it was confirmed; `None` for what needs no preview.
        mark: Option<String>,
    },
    /// Open this one of several plans.
    Plan(String),
    /// Ask every source again at once.
    Retry,
    /// Leave.
    Quit,
    /// Draw every cell again.
    Redraw,
    /// Give a clean text to the terminal's clipboard.
    Copy(String),
    /// Write an export to new files, and say where they are.
    Export(Export),
}

//! The command line: the console and every verb it has, for scripts as well.

mod args;
mod clock;
mod code;
mod demo;
mod doctor;
mod edge;
mod export;
mod glass;
mod init;
mod keymap;
mod machine;
mod manifests;
mod open;
mod pages;
mod serve;
mod status;
mod theme;
mod values;
mod verb;

pub use crate::ui::json;
pub use args::{
    Cli, ClusterArgs, ConfigVerb, DemoArgs, ExportArgs, ExportVerb, Form, Format, ForwardArgs, InitArgs, KeymapVerb,
    ListName, LookArgs, ThemeVerb, Verb,
};
pub use code::{Code, EXIT_CODES, Failure};
pub use demo::{Demo, scenario};
pub use doctor::{Area, Around, Line, NoCluster, Patient, Report, State, examine};
pub use edge::main;
pub use export::export;
pub use glass::{Glass, ask_on_terminal, break_glass};
pub use init::{init, stream};
pub use status::text;
pub use verb::{Answers, carry_out};

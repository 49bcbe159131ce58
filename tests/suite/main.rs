//! Everything that needs more than one module: the command line, and the console on the embedded cluster.

mod adopting;
mod adoption;
mod broken;
mod cli;
mod docs;
mod doctor;
mod gateway;
mod glass;
mod hostile;
mod journey;
mod plans;
#[path = "../robot/mod.rs"]
mod robot;
mod stage;
mod takeover;
mod urgent;
mod verbs;

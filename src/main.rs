//! The program: one TLS provider, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only where one is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    pilothouse::cli::main()
}

//! Signals that end the console in good order.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that is cancelled by SIGHUP, SIGTERM, SIGINT or SIGQUIT, also where a parent has had them ignored.
///
/// A lost SSH session sends SIGHUP: forward work stops and the lease is released, as with any other exit.
///
/// # Errors
/// Fails if a handler cannot be installed.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = hangup.recv() => tracing::warn!("SIGHUP: the terminal is gone"),
            _ = terminate.recv() => tracing::warn!("SIGTERM"),
            _ = interrupt.recv() => tracing::warn!("SIGINT"),
            _ = quit.recv() => tracing::warn!("SIGQUIT"),
        }
        stop.cancel();
    });
    Ok(token)
}

//! What is read from stdin.

use std::io::{self, IsTerminal, Read};

use crate::error::Failure;
use crate::output::Printer;

/// Reads stdin to its end, or to so many bytes. Signals are heard meanwhile.
pub async fn stdin(bound: u64, invitation: &str, out: &mut Printer) -> Result<Vec<u8>, Failure> {
    if io::stdin().is_terminal() {
        out.notice(invitation);
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        io::stdin().lock().take(bound).read_to_end(&mut bytes).map(|_| bytes)
    });
    let failure = |error: &dyn std::fmt::Display| Failure::usage(format!("stdin cannot be read: {error}"));
    read.await.map_err(|error| failure(&error))?.map_err(|error| failure(&error))
}

//! What ends a command from outside: Ctrl-C, SIGTERM, a terminal that hangs up, and a reader that goes away.

use std::future::pending;
use std::io;
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Exit, Failure};

/// The user's wish to end.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Interrupts {
    /// Takes the signals over; from here on they end nothing by themselves.
    pub fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// Takes over the hang-up of the terminal too. That is for who changes the terminal and must give it back: others
    /// end by themselves, unless they run under `nohup`.
    pub fn hear_hangup(&mut self) -> Result<(), Failure> {
        self.hangup = Some(hear(SignalKind::hangup())?);
        Ok(())
    }

    /// The next one. May be dropped and called again.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(self.hangup.as_mut()) => {}
        }
    }
}

fn hear(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::new(Exit::Failed, format!("signals cannot be heard: {e}")))
}

async fn hung_up(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Waits until nobody reads stdout any more, as after `hivectl timeline -f | head -1`. It never ends where that cannot
/// be told: of a file, there is no reader.
pub async fn reader_gone() {
    // Nothing is written through it, so that the descriptor, which is stdout's as well, may block.
    let watched = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match watched {
        Ok(stdout) => {
            let _told = stdout.ready(Interest::ERROR).await;
        }
        Err(_) => pending().await,
    }
}

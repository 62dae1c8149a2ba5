//! Seeing all processes of an attempt off.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until};

use super::super::process::{self, Backoff, Left, Tree};
use super::super::{Control, Controls};
use super::Cause;

/// How long background processes may live on after the command's end, to finish what they say.
const GRACE: Duration = Duration::from_millis(500);

/// How long they may take to end once they were asked to.
const TERMINATE_GRACE: Duration = Duration::from_millis(500);

/// How long a command may take to end for a chat prompt, when it will start over.
const GIVE_WAY_GRACE: Duration = Duration::from_secs(1);

/// How hard processes are pressed to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressure {
    Patience,
    Terminate,
    Kill,
}

impl Pressure {
    pub(super) fn signals(self) -> &'static [Signal] {
        match self {
            Self::Patience => &[],
            // What is stopped sees the first signal only once it continues.
            Self::Terminate => &[Signal::SIGTERM, Signal::SIGCONT],
            Self::Kill => &[Signal::SIGKILL],
        }
    }
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Over,
    StartOverWhenResumed,
    StartOverAtOnce,
}

/// The state of the farewell.
pub(super) struct Farewell {
    /// How the command itself ended, once it did.
    status: Option<io::Result<ExitStatus>>,
    next: Next,
    pressure: Pressure,
    /// What the processes are to be sent at the next look.
    signals: &'static [Signal],
    /// When the pressure rises.
    deadline: Instant,
    backoff: Backoff,
}

impl Farewell {
    pub(super) fn new(cause: Cause) -> Self {
        let (status, next, pressure, grace) = match cause {
            Cause::Ended(status) => (Some(status), Next::Over, Pressure::Patience, GRACE),
            Cause::GivesWay => (None, Next::StartOverWhenResumed, Pressure::Terminate, GIVE_WAY_GRACE),
            Cause::Killed => (None, Next::Over, Pressure::Kill, Duration::ZERO),
        };
        let signals = pressure.signals();
        Self { status, next, pressure, signals, deadline: Instant::now() + grace, backoff: Backoff::new() }
    }

    /// Returns when no process of the attempt is left: how the command itself ended, and what comes next.
    pub(super) async fn bid(
        mut self,
        child: &mut Child,
        tree: &Tree,
        controls: &mut Controls,
    ) -> (io::Result<ExitStatus>, Next) {
        loop {
            let left = match &self.status {
                Some(_) if process::has_no_children() => Left::Nothing,
                Some(_) | None => tree.signal_all(self.signals).await,
            };
            if left == Left::OutOfReach {
                tracing::warn!("processes of a run have become another user's and are left behind");
            }
            self.status = match self.status {
                Some(status) if left != Left::Something => return (status, self.next),
                status => status,
            };
            if self.pressure < Pressure::Kill {
                self.signals = &[];
            }
            tokio::select! {
                biased;
                status = child.wait(), if self.status.is_none() => self.status = Some(status),
                control = controls.next() => self.obey(control),
                () = sleep_until(self.deadline), if self.pressure < Pressure::Kill => self.press_harder(),
                () = self.backoff.wait() => {}
            }
        }
    }

    fn obey(&mut self, control: Control) {
        match (control, self.next) {
            (Control::Suspend, Next::StartOverAtOnce) => self.next = Next::StartOverWhenResumed,
            (Control::Resume, Next::StartOverWhenResumed) => self.next = Next::StartOverAtOnce,
            (Control::Suspend | Control::Resume | Control::Answer(_), _) => {}
            (Control::Cancel | Control::Terminate, _) => {
                self.next = Next::Over;
                self.press(Pressure::Terminate);
            }
            (Control::Kill, _) => {
                self.next = Next::Over;
                self.press(Pressure::Kill);
            }
        }
    }

    fn press_harder(&mut self) {
        match self.pressure {
            Pressure::Patience => self.press(Pressure::Terminate),
            Pressure::Terminate | Pressure::Kill => self.press(Pressure::Kill),
        }
    }

    fn press(&mut self, pressure: Pressure) {
        if pressure > self.pressure {
            self.pressure = pressure;
            self.signals = pressure.signals();
            self.deadline = Instant::now() + TERMINATE_GRACE;
            self.backoff = Backoff::new();
        }
    }
}

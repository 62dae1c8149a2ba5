//! A run whose working directory is looked at before it begins, when it gives way, before it goes on, and at its end.
//!
//! It stands between the driver and the adapter: what the driver asks of the run, and what the run reports, passes
//! through here, and waits only where a snapshot would otherwise show what it should not.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hive_shared::api::code;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::pieces::{Pieces, unknown};
use super::snapshots::Tree;
use super::{Changes, LAST_LIMIT, LIMIT, Then, Tracker, Trouble};
use crate::adapter::{Adapter, Control, Failure, Outcome, Report, Run, RunSpec};
use crate::turn::Turn;

/// How long the end may take when the run was told to be gone: a bot that stops has a second.
const HASTE: Duration = Duration::from_millis(250);

/// A run, watched or not.
#[derive(Debug)]
pub struct Watched(Kind);

#[derive(Debug)]
enum Kind {
    Unwatched { run: Run, why: &'static str },
    Watched(UnboundedSender<Control>),
}

impl Watched {
    /// Asks something of the run. Never blocks; harmless when the run is over.
    pub fn control(&self, control: Control) {
        match &self.0 {
            Kind::Unwatched { run, .. } => run.control(control),
            // A run that is over has dropped its end.
            Kind::Watched(controls) => drop(controls.send(control)),
        }
    }

    /// Why it is not watched, if it is not.
    pub fn why_not(&self) -> Option<&'static str> {
        match &self.0 {
            Kind::Unwatched { why, .. } => Some(why),
            Kind::Watched(_) => None,
        }
    }
}

impl Tracker {
    /// Starts a run, as [`Adapter::start`] does. If it is watched, `changed` is called once, before its end is reported.
    pub fn start(
        self: &Arc<Self>,
        adapter: &Adapter,
        runtime: &Handle,
        spec: RunSpec,
        turn: Arc<Turn>,
        report: impl Fn(Report) + Send + Sync + 'static,
        changed: impl FnOnce(Changes) + Send + 'static,
    ) -> Watched {
        if let Some(why) = self.why_not() {
            return Watched(Kind::Unwatched { run: adapter.start(runtime, spec, turn, report), why });
        }
        let (sender, controls) = mpsc::unbounded_channel();
        let pieces = Pieces::new(Arc::clone(self), spec.run_id.clone(), spec.item.clone());
        let watch = Watch {
            tracker: Arc::clone(self),
            run_id: spec.run_id.clone(),
            controls,
            report: Box::new(report),
            pieces,
            patience: LAST_LIMIT,
        };
        let adapter = adapter.clone();
        runtime.spawn(watch.watch(adapter, spec, turn, changed));
        Watched(Kind::Watched(sender))
    }
}

type Look = Pin<Box<dyn Future<Output = Result<Tree, Trouble>> + Send>>;

struct Watch {
    tracker: Arc<Tracker>,
    run_id: String,
    controls: UnboundedReceiver<Control>,
    report: Box<dyn Fn(Report) + Send + Sync>,
    pieces: Pieces,
    /// How long its end may wait for the last look.
    patience: Duration,
}

/// What a run that was started is doing, as far as looks at it go.
enum Doing {
    /// It works, or stands still and was seen to.
    Nothing,
    /// It has given way, and is looked at. It may have been told to go on meanwhile.
    GivingWay { look: Look, goes_on: bool },
    /// It is looked at before it goes on.
    GoingOn { look: Look },
}

/// Whether a run is to be started.
enum Begin {
    Yes,
    No,
}

impl Watch {
    async fn watch(
        mut self,
        adapter: Adapter,
        spec: RunSpec,
        turn: Arc<Turn>,
        changed: impl FnOnce(Changes),
    ) {
        if let Begin::No = self.begin().await {
            let message = "the run was ended before it was done".to_owned();
            let result = Err(Failure { code: code::CANCELLED, message });
            let outcome = Outcome { result, files_modified: Vec::new(), usage: None };
            return (self.report)(Report::Ended(outcome));
        }
        let (sender, mut reports) = mpsc::unbounded_channel();
        let report = move |report| drop(sender.send(report));
        let run = adapter.start(&Handle::current(), spec, turn, report);
        // Nothing comes only from a run that is dropped with the runtime.
        let Some((outcome, doing)) = self.accompany(&run, &mut reports).await else { return };
        changed(self.conclude(doing).await);
        (self.report)(Report::Ended(outcome));
    }

    /// Looks before the run is started. One that was told to go before it began, goes.
    async fn begin(&mut self) -> Begin {
        let mut look = Some(self.look(Then::Runs, LIMIT));
        loop {
            tokio::select! {
                biased;
                control = self.controls.recv() => match control {
                    Some(Control::Suspend) => {
                        look = None;
                        (self.report)(Report::Suspended);
                    }
                    Some(Control::Resume) if look.is_none() => look = Some(self.look(Then::Runs, LIMIT)),
                    Some(Control::Resume | Control::Answer(_)) => {}
                    Some(Control::Cancel | Control::Terminate | Control::Kill) | None => return Begin::No,
                },
                seen = looked(look.as_mut()) => {
                    self.pieces.open(seen);
                    return Begin::Yes;
                }
            }
        }
    }

    /// Passes on what is asked and reported until the run has ended.
    async fn accompany(
        &mut self,
        run: &Run,
        reports: &mut UnboundedReceiver<Report>,
    ) -> Option<(Outcome, Doing)> {
        let mut doing = Doing::Nothing;
        loop {
            tokio::select! {
                biased;
                report = reports.recv() => match report? {
                    Report::Suspended => {
                        let mut look = self.look(Then::Still, LIMIT);
                        // It has its place before the look of whoever begins next.
                        match futures::poll!(&mut look) {
                            std::task::Poll::Ready(seen) => self.pieces.close(seen),
                            std::task::Poll::Pending => doing = Doing::GivingWay { look, goes_on: false },
                        }
                        (self.report)(Report::Suspended);
                    }
                    Report::Ended(outcome) => return Some((outcome, doing)),
                    report @ (Report::HeldUp(_) | Report::Asked(_) | Report::Unasked(_) | Report::Session(_)) => {
                        (self.report)(report);
                    }
                },
                control = self.controls.recv() => doing = self.heed(run, control?, doing),
                seen = looked(doing.look()) => doing = self.seen(run, seen, &doing),
            }
        }
    }

    fn heed(&mut self, run: &Run, control: Control, doing: Doing) -> Doing {
        match (control, doing) {
            (Control::Resume, Doing::GivingWay { look, .. }) => Doing::GivingWay { look, goes_on: true },
            (Control::Resume, Doing::Nothing) if !self.pieces.is_open() => {
                Doing::GoingOn { look: self.look(Then::Runs, LIMIT) }
            }
            // It still stands.
            (Control::Suspend, Doing::GivingWay { look, .. }) => {
                (self.report)(Report::Suspended);
                Doing::GivingWay { look, goes_on: false }
            }
            (Control::Suspend, Doing::GoingOn { .. }) => {
                (self.report)(Report::Suspended);
                Doing::Nothing
            }
            (control, doing) => {
                if control != Control::Suspend {
                    self.patience = self.patience.min(patience(&control));
                }
                let is_end = matches!(control, Control::Cancel | Control::Terminate | Control::Kill);
                run.control(control);
                match doing {
                    // It goes on to its end, and not for long.
                    Doing::GoingOn { .. } if is_end => Doing::Nothing,
                    doing => doing,
                }
            }
        }
    }

    fn seen(&mut self, run: &Run, seen: Result<Tree, Trouble>, doing: &Doing) -> Doing {
        match doing {
            Doing::Nothing => Doing::Nothing,
            Doing::GivingWay { goes_on, .. } => {
                self.pieces.close(seen);
                if *goes_on { Doing::GoingOn { look: self.look(Then::Runs, LIMIT) } } else { Doing::Nothing }
            }
            Doing::GoingOn { .. } => {
                self.pieces.open(seen);
                run.control(Control::Resume);
                Doing::Nothing
            }
        }
    }

    /// Looks a last time, and says what has changed in all. One that is told to be gone is waited for no longer.
    async fn conclude(&mut self, doing: Doing) -> Changes {
        let mut until = Instant::now() + self.patience;
        let look = match doing {
            Doing::GivingWay { look, .. } => Some(look),
            Doing::Nothing | Doing::GoingOn { .. } if self.pieces.is_open() => {
                Some(self.look(Then::Still, self.patience))
            }
            Doing::Nothing | Doing::GoingOn { .. } => None,
        };
        let pieces = &mut self.pieces;
        let told = async {
            if let Some(look) = look {
                pieces.close(look.await);
            }
            pieces.tell().await
        };
        tokio::pin!(told);
        let mut is_heard = true;
        loop {
            tokio::select! {
                biased;
                changes = &mut told => return changes,
                () = tokio::time::sleep_until(until) => {
                    let why = "git took too long when the run had ended".to_owned();
                    return Changes { warning: Some(unknown(&why)), no_diff: Some(why), files: Vec::new() };
                }
                control = self.controls.recv(), if is_heard => match control {
                    Some(control) => until = until.min(Instant::now() + patience(&control)),
                    None => is_heard = false,
                },
            }
        }
    }

    fn look(&self, then: Then, limit: Duration) -> Look {
        let (tracker, run_id) = (Arc::clone(&self.tracker), self.run_id.clone());
        Box::pin(async move { tracker.snapshot(&run_id, then, limit).await })
    }
}

impl Doing {
    fn look(&mut self) -> Option<&mut Look> {
        match self {
            Self::Nothing => None,
            Self::GivingWay { look, .. } | Self::GoingOn { look } => Some(look),
        }
    }
}

/// What a look gives; nothing ever, where nobody looks.
async fn looked(look: Option<&mut Look>) -> Result<Tree, Trouble> {
    match look {
        Some(look) => look.await,
        None => std::future::pending().await,
    }
}

/// How long the end of a run that is asked this may wait for the last look.
fn patience(control: &Control) -> Duration {
    match control {
        Control::Terminate | Control::Kill => HASTE,
        // Somebody waits.
        Control::Cancel | Control::Suspend => LIMIT,
        Control::Resume | Control::Answer(_) => LAST_LIMIT,
    }
}

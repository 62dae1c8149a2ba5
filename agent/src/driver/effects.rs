//! What follows from a commit, and happens after it.

use std::sync::Arc;

use hive_shared::chat::TurnEvent;
use hive_shared::time::Stamp;

use super::{Driver, Message};
use crate::adapter::{Control, RunSpec};
use crate::coordinator::RunId;
use crate::failpoint;
use crate::outbox::Batch;
use crate::store::StoreError;
use crate::turn::Turn;

/// What follows from a commit.
pub(super) enum Effect {
    Start { run: RunId, spec: RunSpec },
    Control { run: RunId, control: Control },
    Tell { turn: Arc<Turn>, event: TurnEvent },
    Answer(Box<dyn FnOnce() + Send>),
}

impl Driver {
    /// Commits, and then lets what follows happen.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let changes = self.store.commit()?;
        failpoint::pass("committed");
        let jobs = std::mem::take(&mut self.jobs);
        if !changes.is_empty() || !jobs.is_empty() {
            self.last_activity = Stamp::now();
            self.hub.committed(changes, !jobs.is_empty());
        }
        // Before the answers: whoever is answered may look at it at once.
        self.publish_status();
        // Who waits for an answer comes first: whoever starts a process is busy with that for a while.
        let (answers, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.effects)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Answer(_)));
        for effect in answers.into_iter().chain(others) {
            self.have(effect);
        }
        if let Some(outbox) = &self.outbox
            && !jobs.is_empty()
        {
            outbox.send(Batch { jobs });
            failpoint::pass("queued");
        }
        Ok(())
    }

    fn have(&mut self, effect: Effect) {
        match effect {
            Effect::Start { run, spec } => {
                let Some(live) = self.runs.get_mut(&run) else { return };
                let [mail, spoke, stepped, changed] = [(); 4].map(|()| self.mail.clone());
                // Nobody listens any more only when the driver has ended, and with it every run.
                live.turn.on_first_output(move || drop(spoke.send(Message::Spoke(run))));
                live.turn.on_first_step(move || drop(stepped.send(Message::Stepped(run))));
                let report = move |report| drop(mail.send(Message::Run(run, report)));
                let changed = move |changes| drop(changed.send(Message::Changed(run, changes)));
                let turn = Arc::clone(&live.turn);
                live.run =
                    Some(self.tracker.start(&self.adapter, &self.runtime, spec, turn, report, changed));
                failpoint::pass("spawned");
            }
            Effect::Control { run, control } => {
                if let Some(run) = self.runs.get(&run).and_then(|live| live.run.as_ref()) {
                    run.control(control);
                }
            }
            Effect::Tell { turn, event } => turn.tell(event),
            Effect::Answer(answer) => answer(),
        }
    }
}

//! Where requests wait for a person.

use hive_shared::api::Approval;
use hive_shared::chat::ApprovalOption;
use hive_shared::ids::ItemId;

use crate::adapter::Answer;
use crate::coordinator::{Moment, RunId};

/// A request that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// As people see it.
    pub approval: Approval,
    /// The run that waits.
    pub run: RunId,
    /// The run's own name for it.
    pub key: u64,
    /// When it is denied for want of an answer.
    pub deadline: Moment,
    /// Its entry on the timeline.
    pub entry_id: String,
    /// The one of its options that is ours, which the run does not know.
    pub denial: Option<String>,
}

/// A request that waits no more.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Closed {
    /// What it was.
    pub open: Open,
    /// Whether it was the last one of its run, which goes on now.
    pub run_goes_on: bool,
}

impl Closed {
    /// What the run is to be told. To choose the option that is ours is to choose none of its own, as at the deadline.
    pub fn answer(&self, option: Option<&ApprovalOption>) -> Answer {
        let id = option.map(|option| option.id.clone()).filter(|id| self.open.denial.as_ref() != Some(id));
        Answer { key: self.open.key, option: id }
    }
}

/// Why an answer does not count. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing of that id waits.
    #[error(
        "no approval '{0}' waits for an answer: it may have been answered, withdrawn or denied meanwhile"
    )]
    Unknown(ItemId),
    /// It has no such option.
    #[error("'{option}' is none of its options: {}", .there_are.join(", "))]
    NoSuchOption {
        /// What was chosen.
        option: String,
        /// What could be.
        there_are: Vec<String>,
    },
}

/// The requests that wait, the oldest first.
#[derive(Debug, Default)]
pub struct Desk {
    open: Vec<Open>,
}

impl Desk {
    /// All that wait, the oldest first.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &Approval> {
        self.open.iter().map(|open| &open.approval)
    }

    /// How many requests of a run wait.
    pub fn count(&self, run: RunId) -> usize {
        self.open.iter().filter(|open| open.run == run).count()
    }

    /// Takes a request in. Says whether it is the first of its run, which waits from now on.
    #[must_use]
    pub fn take(&mut self, open: Open) -> bool {
        let is_first = !self.waits(open.run);
        self.open.push(open);
        is_first
    }

    /// Answers a request with one of its options.
    ///
    /// # Errors
    ///
    /// If there is no such request or option.
    pub fn answer(&mut self, id: &ItemId, option: &str) -> Result<(Closed, ApprovalOption), Refused> {
        let Some(open) = self.open.iter().find(|open| open.approval.approval_id == *id) else {
            return Err(Refused::Unknown(id.clone()));
        };
        let options = &open.approval.options;
        let Some(chosen) = options.iter().find(|known| known.id == option).cloned() else {
            let there_are = options.iter().map(|option| option.id.clone()).collect();
            return Err(Refused::NoSuchOption { option: option.to_owned(), there_are });
        };
        let closed = self.close(|open| open.approval.approval_id == *id).pop();
        closed.map(|closed| (closed, chosen)).ok_or_else(|| Refused::Unknown(id.clone()))
    }

    /// Takes back what a run asked under `key`.
    pub fn withdraw(&mut self, run: RunId, key: u64) -> Option<Closed> {
        self.close(|open| open.run == run && open.key == key).pop()
    }

    /// Takes back all that a run asked, because it gives way or ends.
    #[must_use]
    pub fn withdraw_all(&mut self, run: RunId) -> Vec<Closed> {
        self.close(|open| open.run == run)
    }

    /// Those whose time is up.
    #[must_use]
    pub fn expire(&mut self, now: Moment) -> Vec<Closed> {
        self.close(|open| open.deadline <= now)
    }

    /// When the next one's time is up.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.open.iter().map(|open| open.deadline).min()
    }

    fn waits(&self, run: RunId) -> bool {
        self.open.iter().any(|open| open.run == run)
    }

    fn close(&mut self, which: impl Fn(&Open) -> bool) -> Vec<Closed> {
        let (closed, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(which);
        self.open = open;
        let runs: Vec<RunId> = closed.iter().map(|open| open.run).collect();
        let is_last_of_its_run =
            |index: usize| !self.waits(runs[index]) && !runs[index + 1..].contains(&runs[index]);
        closed
            .into_iter()
            .enumerate()
            .map(|(index, open)| Closed { open, run_goes_on: is_last_of_its_run(index) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hive_shared::ids::BotId;
    use hive_shared::time::Stamp;
    use hive_shared::work::Source;

    use super::*;

    fn open(number: u32, run: u64, deadline: u64) -> Open {
        let option =
            |id: &str, kind: &str| ApprovalOption { id: id.into(), kind: kind.into(), name: id.into() };
        Open {
            approval: Approval {
                approval_id: id(number),
                bot_id: BotId::parse("BOT-1").unwrap(),
                id: ItemId::parse("TASK-1").unwrap(),
                source: Source::File,
                title: String::new(),
                kind: None,
                locations: Vec::new(),
                options: vec![option("yes", "allow_once"), option("no", "reject_once")],
                requested_at: Stamp::now(),
                deadline: Stamp::now(),
            },
            run: RunId(run),
            key: number.into(),
            deadline: at(deadline),
            entry_id: format!("CTL-{number}"),
            denial: None,
        }
    }

    fn id(number: u32) -> ItemId {
        ItemId::parse(&format!("CTL-{number}")).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_run_waits_from_its_first_question_to_its_last_answer() {
        let mut desk = Desk::default();
        assert!(desk.take(open(1, 7, 10)));
        assert!(!desk.take(open(2, 7, 20)));
        let (closed, chosen) = desk.answer(&id(2), "yes").unwrap();
        assert_eq!(
            (closed.run_goes_on, closed.answer(Some(&chosen)).option.as_deref()),
            (false, Some("yes"))
        );
        assert_eq!(desk.answer(&id(2), "yes").unwrap_err(), Refused::Unknown(id(2)));
        assert!(desk.withdraw(RunId(7), 1).unwrap().run_goes_on);
        assert_eq!(desk.withdraw(RunId(7), 1), None);
        assert_eq!(desk.open().len(), 0);
    }

    #[test]
    fn a_denial_of_ours_chooses_none_of_the_agents_options() {
        let mut desk = Desk::default();
        let denial = Some("no".to_owned());
        assert!(desk.take(Open { denial, ..open(1, 7, 10) }));
        let (closed, chosen) = desk.answer(&id(1), "no").unwrap();
        assert_eq!((chosen.id.as_str(), closed.answer(Some(&chosen)).option), ("no", None));
    }

    #[test]
    fn a_wrong_option_changes_nothing_and_names_the_right_ones() {
        let mut desk = Desk::default();
        assert!(desk.take(open(1, 7, 10)));
        let refused = desk.answer(&id(1), "maybe").unwrap_err();
        assert_eq!(refused.to_string(), "'maybe' is none of its options: yes, no");
        assert_eq!(desk.open().len(), 1);
    }

    #[test]
    fn what_nobody_answers_expires_at_its_deadline() {
        let mut desk = Desk::default();
        for open in [open(1, 7, 20), open(2, 7, 10), open(3, 8, 10)] {
            let _ = desk.take(open);
        }
        assert_eq!((desk.expire(at(9)).len(), desk.next_deadline()), (0, Some(at(10))));
        let expired = desk.expire(at(10));
        let told: Vec<_> = expired.iter().map(|closed| (closed.open.key, closed.run_goes_on)).collect();
        assert_eq!((told, desk.next_deadline()), (vec![(2, false), (3, true)], Some(at(20))));
        let rest = desk.withdraw_all(RunId(7));
        assert!(rest.len() == 1 && rest[0].run_goes_on && desk.next_deadline().is_none());
    }
}

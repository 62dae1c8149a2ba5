//! What people and programs do to the bot while it lives and dies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use hive_shared::api::{PauseRequest, SubmitRequest};
use hive_shared::chat::Prompt;
use hive_shared::client::{Client, ClientError, Submitted};
use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Scope, Status, WhenBusy};
use tokio::task::JoinSet;

use super::dice::Dice;
use super::onlooker::Onlooker;
use super::person::{self, Habit, Heard};
use super::worker::Worker;
use crate::hive::Hive;

/// More than this is not put into the queue: what is in it at the end has to be done before it is over.
const ENOUGH_WORK: usize = 12;

/// A file task as it was given to the bot.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) words: String,
    /// As it was submitted, if it was.
    request: Option<SubmitRequest>,
    /// Whether the bot has it for certain.
    pub(super) accepted: bool,
    /// Whether its priority was to be changed.
    pub(super) prioritized: bool,
    /// Whether its file was taken away.
    pub(super) removed: bool,
    /// Tasks that came of it for certain: files with its id, and retries that were confirmed.
    pub(super) offspring: usize,
    /// Retries that were asked for and not confirmed.
    pub(super) unconfirmed: usize,
}

/// All that was done.
pub(super) struct Load {
    worker: Worker,
    hive: Hive,
    pub(super) dice: Dice,
    pub(super) tasks: BTreeMap<ItemId, Given>,
    people: JoinSet<Heard>,
    pub(super) prompted: BTreeSet<ItemId>,
    pub(super) heard: Vec<Heard>,
    number: u32,
}

impl Load {
    pub(super) fn new(worker: Worker, hive: Hive, dice: Dice) -> Self {
        let people = JoinSet::new();
        let (tasks, prompted, heard) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Self { worker, hive, dice, tasks, people, prompted, heard, number: 0 }
    }

    /// Does one thing to a bot that may die of it.
    pub(super) async fn act(&mut self, client: &Client, onlooker: &Onlooker) {
        let is_busy = self.waiting(onlooker) + self.people.len() >= ENOUGH_WORK;
        match self.dice.within(if is_busy { 40 } else { 0 }..100) {
            0..12 => self.drop_task(),
            12..24 => self.submit(client).await,
            24..36 => self.prompt(client),
            36..40 => self.drop_twin(),
            40..50 => self.submit_again(client).await,
            50..60 => self.cancel(client, onlooker).await,
            60..66 => answered(client.interrupt().await.map(drop)),
            66..74 => self.prioritize(client, onlooker).await,
            74..80 => self.pause(client).await,
            80..90 => self.resume(client).await,
            90..96 => self.retry(client, onlooker).await,
            _ => self.remove(onlooker),
        }
    }

    /// Does something while the bot is down.
    pub(super) fn act_in_absence(&mut self, onlooker: &Onlooker) {
        let is_busy = self.waiting(onlooker) >= ENOUGH_WORK;
        match self.dice.within(if is_busy { 30 } else { 0 }..100) {
            0..20 => self.drop_task(),
            20..30 => self.drop_twin(),
            30..36 => self.hive.control("PAUSE", "scope: tasks\n"),
            36..60 => self.lift_pause(),
            60..64 => self.remove(onlooker),
            _ => {}
        }
    }

    /// Lets everything go on.
    pub(super) fn lift_pause(&mut self) {
        // It may not be there.
        let _ = fs::remove_file(self.hive.control_file("PAUSE"));
    }

    /// Submits again what was never confirmed.
    pub(super) async fn settle_submissions(&mut self, client: &Client) {
        let open = self.tasks.iter().filter(|(_, given)| !given.accepted).map(|(id, _)| id.clone());
        for id in open.collect::<Vec<_>>() {
            self.submit_as(client, &id).await;
            assert!(self.tasks[&id].accepted, "{id} cannot be submitted again");
        }
    }

    /// Waits for those who are still listening.
    pub(super) async fn people_are_done(&mut self) {
        while let Some(heard) = self.people.join_next().await {
            self.heard.push(heard.expect("nobody found a fault"));
        }
    }

    /// How many listen at present. A fault that one of them found ends the torture.
    pub(super) fn look_after_people(&mut self) -> usize {
        while let Some(heard) = self.people.try_join_next() {
            self.heard.push(heard.expect("nobody found a fault"));
        }
        self.people.len()
    }

    fn waiting(&self, onlooker: &Onlooker) -> usize {
        let known = onlooker.known();
        let is_over = |id: &&ItemId| known.entries.get(id.as_str()).is_some_and(|it| it.status.is_final());
        self.tasks.len() - self.tasks.keys().filter(is_over).count()
    }

    fn fresh(&mut self, kind: &str) -> (ItemId, String) {
        self.number += 1;
        let id = ItemId::parse(&format!("{kind}-{}", self.number)).expect("a good id");
        (id, self.worker.words(&mut self.dice, self.number))
    }

    fn give(&mut self, id: ItemId, words: String, request: Option<SubmitRequest>) {
        let (accepted, prioritized, removed) = (request.is_none(), false, false);
        self.tasks.insert(
            id,
            Given { words, request, accepted, prioritized, removed, offspring: 0, unconfirmed: 0 },
        );
    }

    fn priority(&mut self) -> Priority {
        *self.dice.one_of(&[Priority::P0, Priority::P1, Priority::P2, Priority::P3]).expect("there are some")
    }

    fn drop_task(&mut self) {
        let (id, words) = self.fresh("FILE");
        let (priority, interruptible) = (self.priority(), self.dice.happens(80));
        let head = format!("---\ntask_id: {id}\npriority: {priority}\ninterruptible: {interruptible}\n---\n");
        self.hive.drop_task(&format!("{id}.md"), head + &words);
        self.give(id, words, None);
    }

    /// A second file with an id that is in use.
    fn drop_twin(&mut self) {
        let Some(id) = self.any_task(|given| given.accepted && !given.removed) else { return };
        self.number += 1;
        let name = format!("twin-{}.md", self.number);
        let given = self.tasks.get_mut(&id).expect("it was given");
        self.hive.drop_task(&name, format!("---\ntask_id: {id}\n---\n{}", given.words));
        given.offspring += 1;
    }

    async fn submit(&mut self, client: &Client) {
        let (id, words) = self.fresh("TASK");
        let request = SubmitRequest {
            instruction: words.clone(),
            id: Some(id.clone()),
            priority: Some(self.priority()),
            interruptible: Some(self.dice.happens(80)),
            ..SubmitRequest::default()
        };
        self.give(id.clone(), words, Some(request));
        self.submit_as(client, &id).await;
    }

    async fn submit_again(&mut self, client: &Client) {
        if let Some(id) = self.any_task(|given| given.request.is_some()) {
            self.submit_as(client, &id).await;
        }
    }

    async fn submit_as(&mut self, client: &Client, id: &ItemId) {
        let given = self.tasks.get_mut(id).expect("it was given");
        let request = given.request.as_ref().expect("it was submitted");
        match client.submit(request).await {
            Ok(Submitted::Known(_)) => given.accepted = true,
            Ok(Submitted::New(_)) => {
                assert!(!given.accepted, "{id} was accepted once more");
                given.accepted = true;
            }
            Err(error) => assert!(is_of_a_kill(&error), "{id} is refused: {error}"),
        }
    }

    fn prompt(&mut self, client: &Client) {
        let (id, words) = self.fresh("CHAT");
        let when_busy = match self.dice.within(0..10) {
            0..6 => WhenBusy::Auto,
            6..8 => WhenBusy::Queue,
            8 => WhenBusy::Interrupt,
            _ => WhenBusy::Reject,
        };
        let habit = match self.dice.within(0..10) {
            0..5 => Habit::Stays,
            5..8 => Habit::LeavesAfter(self.dice.within(1..12)),
            _ => Habit::CancelsAfter(self.dice.within(1..12)),
        };
        let user = format!("person-{}", self.dice.within(0..3));
        let prompt = Prompt {
            message: words,
            user,
            id: Some(id.clone()),
            session: None,
            when_busy,
            timeout_seconds: None,
        };
        self.prompted.insert(id);
        self.people.spawn(person::ask(client.clone(), prompt, habit));
    }

    async fn cancel(&mut self, client: &Client, onlooker: &Onlooker) {
        let live = self.live(onlooker);
        if let Some(id) = self.dice.one_of(&live) {
            answered(client.cancel(id).await);
        }
    }

    async fn prioritize(&mut self, client: &Client, onlooker: &Onlooker) {
        let live = self.live(onlooker);
        let Some(id) = self.dice.one_of(&live).cloned() else { return };
        let priority = self.priority();
        if let Some(given) = self.tasks.get_mut(&id) {
            given.prioritized = true;
            answered(client.prioritize(&id, priority).await.map(drop));
        }
    }

    async fn pause(&mut self, client: &Client) {
        let scope = if self.dice.happens(50) { Scope::All } else { Scope::Tasks };
        let request = PauseRequest { now: self.dice.happens(50), scope, reason: None };
        answered(client.pause(&request).await.map(drop));
    }

    async fn resume(&mut self, client: &Client) {
        if self.dice.happens(50) {
            self.lift_pause();
        } else {
            answered(client.resume().await.map(drop));
        }
    }

    async fn retry(&mut self, client: &Client, onlooker: &Onlooker) {
        let Some(id) = self.any_task(|given| given.accepted) else { return };
        if onlooker.known().entries.get(id.as_str()).is_none_or(|it| it.status != Status::Failed) {
            return;
        }
        let given = self.tasks.get_mut(&id).expect("it was given");
        match client.retry(&id).await {
            Ok(_) => given.offspring += 1,
            Err(ClientError::Conflict { .. }) => {}
            Err(error) => {
                assert!(is_of_a_kill(&error), "{error}");
                given.unconfirmed += 1;
            }
        }
    }

    fn remove(&mut self, onlooker: &Onlooker) {
        let live = self.live(onlooker);
        if let Some(id) = self.dice.one_of(&live)
            && let Some(given) = self.tasks.get_mut(id)
            && given.accepted
            && fs::remove_file(self.hive.tasks().join(format!("{id}.md"))).is_ok()
        {
            given.removed = true;
        }
    }

    /// What has not ended as far as is known.
    fn live(&self, onlooker: &Onlooker) -> Vec<ItemId> {
        let known = onlooker.known();
        let is_over = |id: &ItemId| known.entries.get(id.as_str()).is_some_and(|it| it.status.is_final());
        let all = self.tasks.keys().chain(&self.prompted);
        all.filter(|id| !is_over(id)).cloned().collect()
    }

    fn any_task(&mut self, fits: impl Fn(&Given) -> bool) -> Option<ItemId> {
        let all: Vec<&ItemId> = self.tasks.iter().filter(|(_, it)| fits(it)).map(|(id, _)| id).collect();
        // What came lately is more likely to be on its way.
        let lately = &all[all.len().saturating_sub(20)..];
        self.dice.one_of(lately).map(|id| (*id).clone())
    }
}

/// A request may be too late, or meet a kill; all else is a fault.
fn answered(answer: Result<(), ClientError>) {
    match answer {
        Ok(()) | Err(ClientError::Conflict { .. } | ClientError::NotFound { .. }) => {}
        Err(error) => assert!(is_of_a_kill(&error), "{error}"),
    }
}

fn is_of_a_kill(error: &ClientError) -> bool {
    error.is_down()
}

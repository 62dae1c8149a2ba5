//! SPEC 5 once more, as plainly as can be: one list of all items that were accepted, and full scans.
//!
//! It knows who would start, who must give way and what counts, and nothing of how that could be found fast.

use std::collections::HashMap;
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::{Priority, Scope, Source, WhenBusy};

use super::super::*;

/// One item, from its arrival on.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "a record of plain facts is the point of the model")]
pub(super) struct Item {
    pub(super) id: ItemId,
    pub(super) source: Source,
    pub(super) state: State,
    pub(super) started: bool,
    pub(super) limit: Duration,
    pub(super) preemptions: u32,
    pub(super) run: Option<RunId>,
    pub(super) rungs: Vec<Rung>,
    /// The time in the slot up to `clock_since`, or in all if the clock stands still.
    pub(super) used: Duration,
    pub(super) clock_since: Option<Moment>,
    // Of file tasks.
    pub(super) priority: Priority,
    pub(super) arrival: u64,
    pub(super) interruptible: bool,
    pub(super) unmet: Vec<ItemId>,
    pub(super) missing: bool,
    pub(super) unread_until: Option<Moment>,
    /// The conversation that last made it give way.
    pub(super) talk: Option<u64>,
    /// Whether it has the slot and cannot begin.
    pub(super) held_up: bool,
    // Of prompts.
    pub(super) when_busy: WhenBusy,
    pub(super) eligible: bool,
    pub(super) detached_since: Option<Moment>,
    /// Whether it wants to interrupt what holds the slot now.
    pub(super) interrupts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Running,
    /// It holds the slot, and was asked to yield or to end.
    Leaving,
    Suspended,
    /// It was suspended and is being killed.
    Dying,
    Requeued,
    Final(Ended),
}

impl Item {
    pub(super) fn holds_the_slot(&self) -> bool {
        matches!(self.state, State::Running | State::Leaving)
    }

    pub(super) fn is_final(&self) -> bool {
        matches!(self.state, State::Final(_))
    }

    pub(super) fn is_suspended(&self) -> bool {
        matches!(self.state, State::Suspended | State::Dying)
    }

    pub(super) fn used(&self, now: Moment) -> Duration {
        self.used + self.clock_since.map_or(Duration::ZERO, |since| now - since)
    }

    pub(super) fn is_waiting_chat(&self) -> bool {
        self.source == Source::Chat && self.state == State::Waiting && self.eligible
    }

    pub(super) fn is_ready_task(&self) -> bool {
        let is_kept = !self.unmet.is_empty() || self.missing || self.unread_until.is_some();
        self.source == Source::File && self.state == State::Waiting && !is_kept
    }
}

/// What is known of a bot to one who only watches it.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) items: Vec<Item>,
    /// How tasks ended that are not among the items any more.
    pub(super) outcomes: HashMap<ItemId, Ended>,
    pub(super) halted: bool,
    pub(super) rules: Rules,
    pub(super) scanned: bool,
    pub(super) stopping: bool,
    pub(super) pauses: Vec<(PauseCause, Scope)>,
    pub(super) files_quiet_until: Moment,
    pub(super) last_word: Option<Moment>,
    pub(super) talk: u64,
}

impl Model {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            items: Vec::new(),
            outcomes: HashMap::new(),
            halted: false,
            rules,
            scanned: false,
            stopping: false,
            pauses: Vec::new(),
            files_quiet_until: Moment::default(),
            last_word: None,
            talk: 0,
        }
    }

    /// How a task ended, if it has. Chat turns are nothing to depend on.
    pub(super) fn outcome(&self, id: &ItemId) -> Option<Ended> {
        let Some(item) = self.items.iter().find(|item| &item.id == id && item.source == Source::File) else {
            return self.outcomes.get(id).copied();
        };
        match item.state {
            State::Final(how) => Some(how),
            State::Waiting
            | State::Running
            | State::Leaving
            | State::Suspended
            | State::Dying
            | State::Requeued => None,
        }
    }

    /// Looks no more at what has ended; how tasks did stays known.
    pub(super) fn retire(&mut self) {
        for item in self.items.extract_if(.., |item| item.is_final()) {
            if let (State::Final(how), Source::File) = (item.state, item.source) {
                self.outcomes.insert(item.id, how);
            }
        }
    }

    pub(super) fn in_slot(&self) -> Option<&Item> {
        self.items.iter().find(|item| item.holds_the_slot())
    }

    /// What starts if the slot is free.
    pub(super) fn choice(&self, now: Moment) -> Option<&Item> {
        if self.stopping {
            return None;
        }
        let mut chats: Vec<&Item> = self.items.iter().filter(|item| item.is_waiting_chat()).collect();
        chats.sort_by_key(|chat| chat.when_busy != WhenBusy::Interrupt);
        if let Some(chat) = chats.first().filter(|_| !self.all_paused()) {
            return Some(chat);
        }
        if !self.scanned || !self.pauses.is_empty() || now < self.files_quiet_until {
            return None;
        }
        if let Some(suspended) = self.items.iter().find(|item| item.is_suspended()) {
            return Some(suspended).filter(|item| item.state == State::Suspended);
        }
        self.items.iter().filter(|item| item.is_ready_task()).min_by_key(|task| (task.priority, task.arrival))
    }

    /// Whether what runs in the slot must leave it for a prompt.
    pub(super) fn must_leave(&self, now: Moment) -> bool {
        let Some(held) = self.in_slot() else { return false };
        if self.stopping || self.all_paused() || held.state != State::Running {
            return false;
        }
        let mut chats = self.items.iter().filter(|item| item.is_waiting_chat());
        if chats.clone().any(|chat| chat.interrupts) {
            return true;
        }
        held.source == Source::File
            && !self.is_spared(now, held)
            && chats.any(|chat| chat.when_busy != WhenBusy::Queue)
    }

    pub(super) fn is_spared(&self, now: Moment, task: &Item) -> bool {
        let same_talk = !self.is_new_talk(now) && task.talk == Some(self.talk);
        let nearly_done = task.used(now) + self.rules.preempt_grace > task.limit;
        let too_often = task.preemptions >= self.rules.max_preemptions && !same_talk;
        !task.held_up && (!task.interruptible || nearly_done || too_often)
    }

    pub(super) fn is_new_talk(&self, now: Moment) -> bool {
        self.last_word.is_none_or(|at| now - at >= Duration::from_mins(1))
    }

    pub(super) fn talk_goes_on(&mut self, now: Moment) {
        if self.is_new_talk(now) {
            self.talk += 1;
        }
        self.last_word = Some(now);
    }

    pub(super) fn all_paused(&self) -> bool {
        self.pauses.iter().any(|(_, scope)| *scope == Scope::All)
    }

    pub(super) fn item_mut(&mut self, id: &ItemId) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| &item.id == id)
    }

    pub(super) fn of_run(&mut self, run: RunId) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.run == Some(run))
    }

    /// Prompts that wait interrupt what held the slot when they came, and nothing that comes after it.
    pub(super) fn nothing_to_interrupt(&mut self) {
        for item in self.items.iter_mut().filter(|item| item.eligible) {
            item.interrupts = false;
        }
    }
}

pub(super) fn task(spec: &TaskSpec) -> Item {
    let mut unmet: Vec<ItemId> = Vec::new();
    for dependency in spec.depends_on.iter().filter(|d| d.ended.is_none()) {
        if !unmet.contains(&dependency.id) {
            unmet.push(dependency.id.clone());
        }
    }
    Item {
        id: spec.id.clone(),
        source: Source::File,
        state: State::Waiting,
        started: false,
        limit: spec.limit,
        preemptions: spec.preemptions,
        run: None,
        rungs: Vec::new(),
        used: Duration::ZERO,
        clock_since: None,
        priority: spec.priority,
        arrival: spec.arrival,
        interruptible: spec.interruptible,
        unmet,
        missing: false,
        unread_until: None,
        talk: None,
        held_up: false,
        when_busy: WhenBusy::Auto,
        eligible: false,
        detached_since: None,
        interrupts: false,
    }
}

pub(super) fn chat(now: Moment, spec: &ChatSpec, finish_on_disconnect: bool) -> Item {
    let is_detached = spec.detached && !finish_on_disconnect;
    Item {
        id: spec.id.clone(),
        source: Source::Chat,
        state: State::Waiting,
        started: false,
        limit: spec.limit,
        preemptions: 0,
        run: None,
        rungs: Vec::new(),
        used: Duration::ZERO,
        clock_since: None,
        priority: Priority::P0,
        arrival: 0,
        interruptible: false,
        unmet: Vec::new(),
        missing: false,
        unread_until: None,
        talk: None,
        held_up: false,
        when_busy: spec.when_busy,
        eligible: !is_detached,
        detached_since: is_detached.then_some(now),
        interrupts: spec.when_busy == WhenBusy::Interrupt,
    }
}

//! The file tasks that wait: those that could start, in order, and those that cannot yet.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use hive_shared::ids::ItemId;
use hive_shared::work::Priority;

use super::Moment;
use super::action::DependencyFault;
use super::event::{Ended, TaskSpec};
use super::slot::Task;

/// How long a waiting task's file may be gone before the task is cancelled (SPEC 2).
const FILE_GRACE: Duration = Duration::from_secs(2);
/// When a start that was withdrawn is tried again, if nothing is told of the task's file before.
const NEXT_TRY: Duration = Duration::from_secs(2);

/// The waiting tasks of one bot.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: HashMap<ItemId, Waiting>,
    /// Those that could start, in the order in which they will: by priority, then by arrival.
    ready: BTreeSet<(Priority, u64, ItemId)>,
    ready_by_priority: [usize; 4],
    /// Who waits for whom, from the one waited for.
    dependents: HashMap<ItemId, Vec<ItemId>>,
    deadlines: BTreeSet<(Moment, ItemId)>,
}

#[derive(Debug)]
struct Waiting {
    task: Task,
    /// What keeps it from its turn. Most could start, and a hundred thousand of them are not to pay for the others.
    held: Option<Box<Held>>,
}

/// Why a task is kept from its turn, and for how long at most.
#[derive(Debug, Default)]
struct Held {
    /// What must still complete.
    unmet: Vec<ItemId>,
    /// When it gives up waiting for tasks that nobody knows.
    unknown_until: Option<Moment>,
    /// When it is cancelled, because its file is gone.
    missing_until: Option<Moment>,
    /// When it could start again, though its file could not be read last time.
    unread_until: Option<Moment>,
}

impl Held {
    fn deadlines(&self) -> impl Iterator<Item = Moment> {
        [self.unknown_until, self.missing_until, self.unread_until].into_iter().flatten()
    }
}

impl Waiting {
    fn is_ready(&self) -> bool {
        self.held.is_none()
    }

    fn unmet(&self) -> &[ItemId] {
        self.held.as_ref().map_or(&[], |held| &held.unmet)
    }

    /// Changes what keeps it from its turn, which may be nothing more then.
    fn hold(&mut self, change: impl FnOnce(&mut Held)) {
        let mut held = self.held.take().unwrap_or_default();
        change(&mut held);
        let Held { unmet, missing_until, unread_until, unknown_until: _ } = &*held;
        let is_held = !unmet.is_empty() || missing_until.is_some() || unread_until.is_some();
        self.held = is_held.then_some(held);
    }

    fn key(&self) -> (Priority, u64, ItemId) {
        (self.task.priority, self.task.arrival, self.task.id.clone())
    }
}

/// What became of a task that wanted to wait.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Admission {
    /// It could start.
    Ready,
    /// It waits for these.
    Blocked(Vec<ItemId>),
    /// It can never start.
    Hopeless { on: ItemId, why: DependencyFault },
}

/// A waiting task whose time has run out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expired {
    FileRemoved(Task),
    NeverCame { task: Task, on: ItemId },
}

/// What the end of a task means for one that waits for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// It could start now.
    Unblocked(ItemId),
    /// It can never start, and is no longer here.
    Doomed(Task),
}

impl Queue {
    /// Takes a task in.
    pub(super) fn admit(&mut self, now: Moment, spec: &TaskSpec, dependency_timeout: Duration) -> Admission {
        if let Some(failed) = spec.depends_on.iter().find(|d| d.ended == Some(Ended::Badly)) {
            return Admission::Hopeless { on: failed.id.clone(), why: DependencyFault::Failed };
        }
        let mut unmet: Vec<ItemId> = Vec::new();
        for dependency in spec.depends_on.iter().filter(|d| d.ended.is_none()) {
            if !unmet.contains(&dependency.id) {
                unmet.push(dependency.id.clone());
            }
        }
        if let Some(on) = self.closes_a_cycle(&spec.id, &unmet) {
            return Admission::Hopeless { on, why: DependencyFault::Cycle };
        }
        // When the time comes, those that have come are no reason any more.
        let unknown_until = Some(now + dependency_timeout.saturating_sub(spec.waited));
        for on in &unmet {
            self.dependents.entry(on.clone()).or_default().push(spec.id.clone());
        }
        let mut waiting = Waiting { task: task_of(spec), held: None };
        let admission = if unmet.is_empty() { Admission::Ready } else { Admission::Blocked(unmet.clone()) };
        waiting.hold(|held| *held = Held { unmet, unknown_until, ..Held::default() });
        self.insert(waiting);
        admission
    }

    /// Takes back a task that was to start and could not, because its file could not be read as it is known. Whether it
    /// is gone is not for this to say: it waits until it is told so, or is told otherwise, or tries again.
    pub(super) fn put_back(&mut self, now: Moment, task: Task) {
        let held = Held { unread_until: Some(now + NEXT_TRY), ..Held::default() };
        self.insert(Waiting { task, held: Some(Box::new(held)) });
    }

    /// Takes the next task out, if one could start.
    pub(super) fn pop(&mut self) -> Option<Task> {
        let (_, _, id) = self.ready.first().cloned()?;
        self.remove(&id)
    }

    /// Takes one task out.
    pub(super) fn remove(&mut self, id: &ItemId) -> Option<Task> {
        let waiting = self.take(id)?;
        for on in waiting.unmet() {
            if let Some(dependents) = self.dependents.get_mut(on) {
                dependents.retain(|d| d != id);
                if dependents.is_empty() {
                    self.dependents.remove(on);
                }
            }
        }
        Some(waiting.task)
    }

    /// Tells those who wait for `id` how it ended. Each that this dooms is taken out; the caller ends it, and then
    /// tells those who wait for it.
    pub(super) fn ended(&mut self, id: &ItemId, how: Ended) -> Vec<Release> {
        let mut released = Vec::new();
        for dependent in self.dependents.remove(id).unwrap_or_default() {
            match how {
                Ended::Badly => released.extend(self.remove(&dependent).map(Release::Doomed)),
                Ended::Well => {
                    let Some(mut waiting) = self.take(&dependent) else { continue };
                    waiting.hold(|held| {
                        held.unmet.retain(|on| on != id);
                        if held.unmet.is_empty() {
                            held.unknown_until = None;
                        }
                    });
                    if waiting.unmet().is_empty() {
                        released.push(Release::Unblocked(dependent));
                    }
                    self.insert(waiting);
                }
            }
        }
        released
    }

    /// The file of a waiting task is gone. What was gone before is not given more time.
    pub(super) fn file_missing(&mut self, now: Moment, id: &ItemId) {
        if let Some(mut waiting) = self.take(id) {
            waiting.hold(|held| {
                held.missing_until.get_or_insert(now + FILE_GRACE);
            });
            self.insert(waiting);
        }
    }

    /// The file of a waiting task is there again.
    pub(super) fn file_back(&mut self, id: &ItemId) {
        if let Some(mut waiting) = self.take(id) {
            waiting.hold(|held| (held.missing_until, held.unread_until) = (None, None));
            self.insert(waiting);
        }
    }

    /// Gives a waiting task another priority. False if it does not wait.
    #[must_use]
    pub(super) fn prioritize(&mut self, id: &ItemId, priority: Priority) -> bool {
        let Some(mut waiting) = self.take(id) else { return false };
        waiting.task.priority = priority;
        self.insert(waiting);
        true
    }

    /// Takes out a task whose time has run out, if there is one. `is_live` tells of tasks outside the queue that have not
    /// ended: what runs or is suspended.
    pub(super) fn expire(&mut self, now: Moment, is_live: impl Fn(&ItemId) -> bool) -> Option<Expired> {
        loop {
            let (at, id) = self.deadlines.first().cloned()?;
            if now < at {
                return None;
            }
            let waiting = self.waiting.get(&id)?;
            if waiting.held.as_ref().and_then(|held| held.missing_until).is_some_and(|until| until <= now) {
                return self.remove(&id).map(Expired::FileRemoved);
            }
            if waiting.held.as_ref().and_then(|held| held.unread_until).is_some_and(|until| until <= now) {
                let mut waiting = self.take(&id)?;
                waiting.hold(|held| held.unread_until = None);
                self.insert(waiting);
                continue;
            }
            let unknown =
                waiting.unmet().iter().find(|on| !is_live(on) && !self.waiting.contains_key(*on)).cloned();
            if let Some(on) = unknown {
                return self.remove(&id).map(|task| Expired::NeverCame { task, on });
            }
            // All that it waits for has come since: it waits as long as they take.
            if let Some(mut waiting) = self.take(&id) {
                waiting.hold(|held| held.unknown_until = None);
                self.insert(waiting);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Whether it waits for others; nothing if it does not wait at all.
    pub(super) fn is_blocked(&self, id: &ItemId) -> Option<bool> {
        self.waiting.get(id).map(|w| !w.unmet().is_empty())
    }

    pub(super) fn arrival(&self, id: &ItemId) -> Option<u64> {
        self.waiting.get(id).map(|w| w.task.arrival)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn ready_by_priority(&self) -> [usize; 4] {
        self.ready_by_priority
    }

    /// Those that could start, in order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &ItemId> {
        self.ready.iter().map(|(_, _, id)| id)
    }

    /// Those that could not start, with what they wait for.
    pub(super) fn held_back(&self) -> impl Iterator<Item = (&ItemId, &[ItemId])> {
        self.waiting.iter().filter(|(_, w)| !w.is_ready()).map(|(id, w)| (id, w.unmet()))
    }

    /// Follows what `unmet` waits for; the one through which it comes back to `id`, if it does.
    fn closes_a_cycle(&self, id: &ItemId, unmet: &[ItemId]) -> Option<ItemId> {
        if unmet.contains(id) {
            return Some(id.clone());
        }
        if !self.dependents.contains_key(id) {
            return None;
        }
        let mut seen: HashSet<&ItemId> = HashSet::new();
        for first in unmet {
            let mut stack = vec![first];
            while let Some(on) = stack.pop() {
                if on == id {
                    return Some(first.clone());
                }
                if seen.insert(on) {
                    stack.extend(self.waiting.get(on).into_iter().flat_map(Waiting::unmet));
                }
            }
        }
        None
    }

    /// The one place in which a task enters the indexes; [`Queue::take`] is the one in which it leaves them.
    fn insert(&mut self, waiting: Waiting) {
        if waiting.is_ready() {
            self.ready.insert(waiting.key());
            self.ready_by_priority[waiting.task.priority.index()] += 1;
        }
        for at in waiting.held.iter().flat_map(|held| held.deadlines()) {
            self.deadlines.insert((at, waiting.task.id.clone()));
        }
        self.waiting.insert(waiting.task.id.clone(), waiting);
    }

    fn take(&mut self, id: &ItemId) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        if waiting.is_ready() {
            self.ready.remove(&waiting.key());
            self.ready_by_priority[waiting.task.priority.index()] -= 1;
        }
        for at in waiting.held.iter().flat_map(|held| held.deadlines()) {
            self.deadlines.remove(&(at, id.clone()));
        }
        Some(waiting)
    }
}

/// The task of a document, as it is when it starts.
pub(super) fn task_of(spec: &TaskSpec) -> Task {
    Task {
        id: spec.id.clone(),
        priority: spec.priority,
        arrival: spec.arrival,
        limit: spec.limit,
        interruptible: spec.interruptible,
        preemptions: spec.preemptions,
        conversation: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::event::Dependency;

    fn id(text: &str) -> ItemId {
        ItemId::parse(text).unwrap()
    }

    fn at(secs: u64) -> Moment {
        Moment::from_start(Duration::from_secs(secs))
    }

    fn spec(name: &str, priority: Priority, arrival: u64, on: &[&str]) -> TaskSpec {
        TaskSpec {
            id: id(name),
            priority,
            arrival,
            limit: Duration::from_mins(1),
            interruptible: true,
            depends_on: on.iter().map(|d| Dependency { id: id(d), ended: None }).collect(),
            waited: Duration::ZERO,
            attempts: 0,
            preemptions: 0,
        }
    }

    fn admit(queue: &mut Queue, spec: &TaskSpec) -> Admission {
        queue.admit(at(0), spec, Duration::from_secs(100))
    }

    fn drain(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop()).map(|t| t.id.to_string()).collect()
    }

    #[test]
    fn priority_then_arrival() {
        let mut queue = Queue::default();
        for (name, priority, arrival) in
            [("c", Priority::P2, 1), ("a", Priority::P0, 9), ("d", Priority::P2, 2), ("b", Priority::P1, 5)]
        {
            assert_eq!(admit(&mut queue, &spec(name, priority, arrival, &[])), Admission::Ready);
        }
        assert!(queue.prioritize(&id("d"), Priority::P0));
        assert_eq!(queue.ready_by_priority(), [2, 1, 1, 0]);
        assert_eq!(drain(&mut queue), ["d", "a", "b", "c"]);
    }

    #[test]
    fn a_dependent_waits_and_is_released_or_doomed_with_its_own_dependents() {
        let mut queue = Queue::default();
        let _ = admit(&mut queue, &spec("first", Priority::P3, 1, &[]));
        assert!(matches!(
            admit(&mut queue, &spec("second", Priority::P0, 2, &["first"])),
            Admission::Blocked(_)
        ));
        let _ = admit(&mut queue, &spec("third", Priority::P0, 3, &["second"]));
        assert_eq!(queue.pop().unwrap().id, id("first"));
        assert!(queue.pop().is_none());
        assert_eq!(queue.ended(&id("first"), Ended::Well), [Release::Unblocked(id("second"))]);
        assert_eq!(queue.pop().unwrap().id, id("second"));
        let [Release::Doomed(doomed)] = &queue.ended(&id("second"), Ended::Badly)[..] else { panic!() };
        assert_eq!(doomed.id, id("third"));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_cycle_is_found_by_whoever_closes_it() {
        let mut queue = Queue::default();
        let _ = admit(&mut queue, &spec("a", Priority::P2, 1, &["b"]));
        let _ = admit(&mut queue, &spec("b", Priority::P2, 2, &["c"]));
        let hopeless = admit(&mut queue, &spec("c", Priority::P2, 3, &["a"]));
        assert_eq!(hopeless, Admission::Hopeless { on: id("a"), why: DependencyFault::Cycle });
        let itself = admit(&mut queue, &spec("d", Priority::P2, 4, &["d"]));
        assert_eq!(itself, Admission::Hopeless { on: id("d"), why: DependencyFault::Cycle });
    }

    #[test]
    fn only_what_nobody_knows_is_given_up() {
        let mut queue = Queue::default();
        let _ = admit(&mut queue, &spec("a", Priority::P2, 1, &["later"]));
        let _ = admit(&mut queue, &spec("b", Priority::P2, 2, &["never"]));
        let _ = admit(&mut queue, &spec("later", Priority::P2, 3, &[]));
        assert_eq!(queue.next_deadline(), Some(at(100)));
        let Some(Expired::NeverCame { task, on }) = queue.expire(at(100), |_| false) else { panic!() };
        assert_eq!((task.id, on), (id("b"), id("never")));
        assert_eq!(queue.expire(at(100), |_| false), None);
        assert_eq!(queue.next_deadline(), None);
    }

    #[test]
    fn a_missing_file_holds_a_task_back_for_two_seconds() {
        let mut queue = Queue::default();
        let _ = admit(&mut queue, &spec("a", Priority::P2, 1, &[]));
        queue.file_missing(at(0), &id("a"));
        assert!(queue.pop().is_none());
        queue.file_back(&id("a"));
        assert!(queue.has_ready());
        queue.file_missing(at(0), &id("a"));
        assert!(queue.expire(at(1), |_| false).is_none());
        assert!(matches!(queue.expire(at(2), |_| false), Some(Expired::FileRemoved(_))));
    }
}

//! Which process belongs to which run.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpgrp, getpid};

use super::RUN_ID;
use super::table::{self, Identity, Proc, State};

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { runs: Vec::new(), last_key: 0 });

/// The registry of this process.
pub(super) fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runs that have processes.
pub(super) struct Registry {
    runs: Vec<Entry>,
    last_key: u64,
}

struct Entry {
    key: u64,
    run_id: String,
    leader: i32,
    /// All its processes are stopped, so that it can have no others than those it is known to have.
    is_frozen: bool,
    known: HashSet<Identity>,
}

/// The daemon's own place among the processes.
#[derive(Clone, Copy)]
struct Here {
    pid: i32,
    group: i32,
}

impl Here {
    fn find() -> Self {
        Self { pid: getpid().as_raw(), group: getpgrp().as_raw() }
    }
}

impl Registry {
    pub(super) fn register(&mut self, run_id: &str, leader: i32) -> u64 {
        self.last_key += 1;
        self.runs.push(Entry {
            key: self.last_key,
            run_id: run_id.to_owned(),
            leader,
            is_frozen: false,
            known: HashSet::new(),
        });
        self.last_key
    }

    pub(super) fn forget(&mut self, key: u64) {
        self.runs.retain(|run| run.key != key);
    }

    /// The processes of a run, parents before their children.
    pub(super) fn members(&self, key: u64, table: &[Proc]) -> Vec<Proc> {
        let here = Here::find();
        let roots = table.iter().copied().filter(|proc| {
            proc.parent == here.pid && self.owner(proc, here, |pid| table::variable(pid, RUN_ID)) == Some(key)
        });
        table::with_descendants(table, roots)
    }

    /// Whether a dead process waits for something other than [`Registry::reap`]: a leader for its run's task, the
    /// child of a live process for that.
    pub(super) fn is_anothers_to_reap(&self, proc: &Proc) -> bool {
        proc.state == State::Zombie
            && (proc.parent != Here::find().pid || self.runs.iter().any(|run| run.leader == proc.id.pid))
    }

    /// Takes note of the dead children in `table` that nobody else here waits for.
    pub(super) fn reap(&self, table: &[Proc]) {
        let here = Here::find();
        let is_orphan = |proc: &Proc| {
            proc.state == State::Zombie
                && proc.parent == here.pid
                && proc.group != here.group
                && self.runs.iter().all(|run| run.leader != proc.id.pid)
        };
        for proc in table.iter().filter(|proc| is_orphan(proc)) {
            // The table may be older than a run that was given the same pid since.
            if table::read(proc.id.pid).is_some_and(|now| now.id == proc.id) {
                // It fails when the process was reaped already.
                let _ = waitpid(Pid::from_raw(proc.id.pid), Some(WaitPidFlag::WNOHANG));
            }
        }
    }

    /// Whether the process was seen in the run while it was being suspended.
    pub(super) fn knows(&self, key: u64, id: Identity) -> bool {
        self.runs.iter().any(|run| run.key == key && run.known.contains(&id))
    }

    /// The run has these processes; if `is_complete`, all are stopped.
    pub(super) fn freezing(&mut self, key: u64, members: impl Iterator<Item = Identity>, is_complete: bool) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.key == key) {
            run.known.extend(members);
            run.is_frozen = is_complete;
        }
    }

    /// The run goes on.
    pub(super) fn thawed(&mut self, key: u64) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.key == key) {
            run.known.clear();
            run.is_frozen = false;
        }
    }

    /// Whose a child of the daemon is; none if it is none of a run's.
    fn owner(&self, child: &Proc, here: Here, run_id_of: impl Fn(i32) -> Option<String>) -> Option<u64> {
        let led = |run: &&Entry| run.leader == child.id.pid;
        let in_group = |run: &&Entry| run.leader == child.group || run.leader == child.session;
        let seen = |run: &&Entry| run.known.contains(&child.id);
        if let Some(run) = self.find(led).or_else(|| self.find(in_group)).or_else(|| self.find(seen)) {
            return Some(run.key);
        }
        if let Some(run) = run_id_of(child.id.pid).and_then(|id| self.find(|run| run.run_id == id)) {
            return Some(run.key);
        }
        if child.group == here.group {
            return None;
        }
        // An orphan that hides where it came from. A frozen run starts nothing, so it is the other one's; of several it
        // could be anyone's.
        let mut active = self.runs.iter().filter(|run| !run.is_frozen);
        match (active.next(), active.next()) {
            (Some(only), None) => Some(only.key),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }

    fn find(&self, is_it: impl Fn(&&Entry) -> bool) -> Option<&Entry> {
        self.runs.iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Here = Here { pid: 10, group: 9 };

    fn registry() -> (Registry, u64, u64) {
        let mut registry = Registry { runs: Vec::new(), last_key: 0 };
        let task = registry.register("run-task", 100);
        let chat = registry.register("run-chat", 200);
        (registry, task, chat)
    }

    fn child(pid: i32, group: i32, session: i32) -> Proc {
        Proc { id: Identity { pid, started: 5 }, parent: HERE.pid, group, session, state: State::Awake }
    }

    #[test]
    fn a_child_is_known_by_its_group_its_session_or_its_environment() {
        let (registry, task, chat) = registry();
        let owner = |proc: &Proc, env: Option<&str>| registry.owner(proc, HERE, |_| env.map(str::to_owned));
        assert_eq!(owner(&child(100, 100, 1), None), Some(task));
        assert_eq!(owner(&child(150, 200, 1), None), Some(chat));
        assert_eq!(owner(&child(150, 150, 100), None), Some(task));
        assert_eq!(owner(&child(150, 150, 150), Some("run-chat")), Some(chat));
        assert_eq!(owner(&child(150, 9, 1), Some("run-task")), Some(task), "even in the daemon's group");
        assert_eq!(owner(&child(150, 9, 1), None), None, "the daemon's own");
        assert_eq!(owner(&child(150, 9, 1), Some("an outer hive's")), None);
        assert_eq!(owner(&child(150, 150, 150), None), None, "either's");
    }

    #[test]
    fn an_orphan_of_unknown_origin_is_not_a_frozen_runs() {
        let (mut registry, task, chat) = registry();
        registry.freezing(task, [child(101, 101, 101).id].into_iter(), true);
        let owner = |registry: &Registry, pid| registry.owner(&child(pid, pid, pid), HERE, |_| None);
        assert_eq!(owner(&registry, 101), Some(task), "seen when it was frozen");
        assert_eq!(owner(&registry, 150), Some(chat));
        registry.forget(chat);
        assert_eq!(owner(&registry, 150), None);
        registry.thawed(task);
        assert_eq!(owner(&registry, 150), Some(task));
        assert_eq!(registry.owner(&child(150, 9, 1), HERE, |_| None), None, "the daemon's own");
    }
}

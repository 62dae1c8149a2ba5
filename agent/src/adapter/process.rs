//! The processes of runs: starting them, and suspending, ending and killing all of a run's descendants, also those
//! that have moved to a process group or session of their own (SPEC 6).
//!
//! The daemon is a subreaper: a process whose parent has died becomes the daemon's child, so that every process of a
//! run stays below the daemon and can be found there. Whose such an orphan is, `registry` works out.
//!
//! The daemon's other children (git, …) are left alone as long as they stay in the daemon's own process group, which is
//! where a child is unless it was asked to be elsewhere.

mod leftovers;
mod mark;
mod newcomers;
mod registry;
mod table;

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

pub use leftovers::sweep_leftovers;
pub use mark::Mark;
pub(super) use newcomers::{Household, RollCall};
use table::{Proc, Sent, State};

use crate::open_files;

/// The variable that every process of a run inherits.
pub(crate) const RUN_ID: &str = "HIVE_RUN_ID";

/// How long the reaper waits for more orphans to die before it looks.
const REAPER_DEBOUNCE: Duration = Duration::from_millis(250);

/// Makes orphans below this process its own children. Everything else here relies on it, so it comes before the first
/// run.
pub fn become_subreaper() -> io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true).map_err(io::Error::from)
}

/// Takes note of dead orphans for as long as the daemon lives, so that a long run leaves no zombies behind.
pub async fn reap_orphans() {
    let mut deaths = match signal(SignalKind::child()) {
        Ok(deaths) => deaths,
        Err(error) => {
            tracing::warn!(%error, "dead orphans stay in the process table until the run ends");
            return;
        }
    };
    while deaths.recv().await.is_some() {
        tokio::time::sleep(REAPER_DEBOUNCE).await;
        if look_at_children() == Children::SomeDead {
            // It can fail only when the runtime shuts down.
            let _ = spawn_blocking(|| registry::lock().reap(&table::read_all())).await;
        }
    }
}

/// What the kernel says in one call about the children of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Children {
    None,
    AllAlive,
    SomeDead,
}

fn look_at_children() -> Children {
    match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
        Err(Errno::ECHILD) => Children::None,
        Ok(WaitStatus::StillAlive) => Children::AllAlive,
        // An error too: it is about a death by a signal that nix has no name for.
        Ok(_) | Err(_) => Children::SomeDead,
    }
}

/// Whether this process has no children at all, and so, with its leader waited for, no run has anything left. Costs next
/// to nothing, and is the usual case: only background processes and other runs make it necessary to look closely.
pub(super) fn has_no_children() -> bool {
    look_at_children() == Children::None
}

/// Starts `command` as the leader of a run: in a process group of its own, and known as the run's from its first
/// moment. `command` must set `HIVE_RUN_ID` to `run_id`.
pub(crate) fn spawn(command: &mut Command, run_id: &str) -> io::Result<(Child, Tree)> {
    command.process_group(0).kill_on_drop(true);
    // Held over both steps: nobody may see a child that is in a group of its own and take it for an orphan.
    let mut registry = registry::lock();
    let child = command.spawn()?;
    let leader = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or(io::ErrorKind::NotFound)?;
    let key = registry.register(run_id, leader);
    open_files::allow_as_at_start(leader);
    Ok((child, Tree { key, leader, is_gone: false }))
}

/// All processes of a run. Dropping it before nothing is left kills them.
#[derive(Debug)]
pub(crate) struct Tree {
    key: u64,
    leader: i32,
    is_gone: bool,
}

/// What is left of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Left {
    Nothing,
    /// Only processes that have become another user's and take no signals from us.
    OutOfReach,
    Something,
}

impl Left {
    /// The same with one more process: as it was when the table was read, and what became of a signal to it since.
    fn and(self, state: State, sent: Sent, is_anothers_to_reap: bool) -> Self {
        match sent {
            Sent::Delivered | Sent::Forbidden if is_anothers_to_reap => self,
            Sent::Forbidden if self == Self::Nothing => Self::OutOfReach,
            Sent::Forbidden => self,
            Sent::Gone if state == State::Zombie => self,
            // One that is gone lived when the table was read, and may have started another since, which is not in it.
            Sent::Delivered | Sent::Gone => Self::Something,
        }
    }
}

/// How far suspending has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Freeze {
    Done,
    /// A process was awake a moment ago: look again.
    GoOn,
}

impl Tree {
    /// Asks the leader's process group to end, as Ctrl-C in a terminal would. To be called only while the leader was
    /// not waited for, as long as its pid is its own.
    pub(super) fn terminate_group(&self) {
        self.signal_group(Signal::SIGTERM);
        // What is stopped sees the first signal only once it continues.
        self.signal_group(Signal::SIGCONT);
    }

    fn signal_group(&self, signal: Signal) {
        // It fails when nothing is left in the group, which is fine.
        let _ = killpg(Pid::from_raw(self.leader), signal);
    }

    /// One step of suspending all processes; to be repeated until it is done. To be called only while the leader was
    /// not waited for.
    ///
    /// Parents are stopped before their children: one that waits for a child must not see it stopped and act on it.
    pub(super) async fn freeze(&self) -> Freeze {
        // The whole group at one blow, so that what forks cannot outrun us.
        self.signal_group(Signal::SIGSTOP);
        let key = self.key;
        off_thread(move || freeze(key)).await.unwrap_or(Freeze::GoOn)
    }

    /// Continues all processes, children before their parents.
    pub(super) async fn thaw(&self) {
        let key = self.key;
        let _ = off_thread(move || {
            for proc in thawed(key).iter().rev() {
                let _ = proc.signal(Some(Signal::SIGCONT));
            }
        })
        .await;
    }

    /// Looks at what is left of the run beside its leader's remains, and sends `signals` to each of it.
    pub(super) async fn signal_all(&self, signals: &'static [Signal]) -> Left {
        let (key, leader) = (self.key, self.leader);
        off_thread(move || signal_all(key, leader, signals)).await.unwrap_or(Left::Something)
    }

    /// Nothing is left.
    pub(crate) fn gone(mut self) {
        self.is_gone = true;
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.is_gone {
            // The run's task died, or the runtime is shutting down: there is no one to look twice.
            let _ = signal_all(self.key, self.leader, &[Signal::SIGKILL]);
        }
        registry::lock().forget(self.key);
    }
}

/// Looking again and again, less and less often.
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const LONGEST: Duration = Duration::from_millis(50);

    pub(super) fn new() -> Self {
        Self { next: Duration::from_millis(1) }
    }

    /// Waits until it is time to look again.
    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(Self::LONGEST);
    }
}

/// Reading the table of processes may take milliseconds on a busy machine. Gives none when the runtime shuts down.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(work).await.ok()
}

fn members(key: u64) -> Vec<Proc> {
    let table = table::read_all();
    registry::lock().members(key, &table)
}

fn freeze(key: u64) -> Freeze {
    let members = members(key);
    let mut registry = registry::lock();
    let mut freeze = Freeze::Done;
    for proc in &members {
        let must_be_told = match proc.state {
            State::Awake => true,
            // It will stop before it returns to its program, once told. A parent in vfork is in this state until its
            // child, which may be stopped already, goes on.
            State::Uninterruptible => !registry.knows(key, proc.id),
            State::Stopped | State::Zombie => false,
        };
        // One that has gone meanwhile may have left another, as awake as it was.
        if must_be_told && proc.signal(Some(Signal::SIGSTOP)) != Sent::Forbidden {
            freeze = Freeze::GoOn;
        }
    }
    registry.freezing(key, members.iter().map(|proc| proc.id), freeze == Freeze::Done);
    freeze
}

fn thawed(key: u64) -> Vec<Proc> {
    let members = members(key);
    registry::lock().thawed(key);
    members
}

fn signal_all(key: u64, leader: i32, signals: &[Signal]) -> Left {
    let table = table::read_all();
    let members: Vec<(Proc, bool)> = {
        let registry = registry::lock();
        registry.reap(&table);
        let members = registry.members(key, &table);
        members.into_iter().map(|proc| (proc, registry.is_anothers_to_reap(&proc))).collect()
    };
    if signals.contains(&Signal::SIGKILL) && members.iter().any(|(proc, _)| proc.group == leader) {
        // The group at one blow, so that what forks cannot outrun us.
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
    let mut left = Left::Nothing;
    for (proc, is_anothers_to_reap) in &members {
        let sent = signals.iter().fold(proc.signal(None), |_, signal| proc.signal(Some(*signal)));
        left = left.and(proc.state, sent, *is_anothers_to_reap);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_only_when_nobody_was_alive_when_we_looked() {
        let left = |state, sent, is_anothers| Left::Nothing.and(state, sent, is_anothers);
        assert_eq!(left(State::Awake, Sent::Delivered, false), Left::Something);
        assert_eq!(left(State::Awake, Sent::Gone, false), Left::Something, "it may have started another");
        assert_eq!(left(State::Zombie, Sent::Gone, false), Left::Nothing, "the dead start nothing");
        assert_eq!(left(State::Zombie, Sent::Delivered, true), Left::Nothing);
        assert_eq!(left(State::Awake, Sent::Forbidden, false), Left::OutOfReach);
        assert_eq!(Left::Something.and(State::Awake, Sent::Forbidden, false), Left::Something);
        assert_eq!(Left::OutOfReach.and(State::Zombie, Sent::Gone, false), Left::OutOfReach);
    }
}

//! What has joined a run since a moment: the tools that a long-lived agent has left running.

use std::collections::HashSet;

use nix::sys::signal::Signal;
use nix::unistd::getpid;

use super::table::{self, Identity, Proc, Sent, State};
use super::{Backoff, Tree, members, off_thread};

/// How long newcomers may take to end once they were asked to.
const TERMINATE_GRACE: std::time::Duration = std::time::Duration::from_millis(300);

/// How long the killed are given to be gone.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Programs that an agent starts to run a tool in, and nothing else.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "fish", "ksh"];

/// The processes of a run, seen from where its leader is not at hand.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Household {
    key: u64,
}

/// Who belonged to a run at one moment.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct RollCall {
    present: HashSet<Identity>,
    groups: HashSet<i32>,
}

impl Tree {
    pub(in super::super) fn household(&self) -> Household {
        Household { key: self.key }
    }
}

impl Household {
    /// Who is there now.
    pub(in super::super) async fn roll_call(self) -> RollCall {
        let members = off_thread(move || members(self.key)).await.unwrap_or_default();
        RollCall {
            present: members.iter().map(|proc| proc.id).collect(),
            groups: members.iter().map(|proc| proc.group).collect(),
        }
    }

    /// Ends the tools that have been started since, and what came from them. Returns when they are gone, or after a few
    /// seconds.
    pub(in super::super) async fn dismiss_since(self, earlier: &RollCall) {
        let started = tokio::time::Instant::now();
        let mut backoff = Backoff::new();
        let mut pressed = None;
        loop {
            let elapsed = started.elapsed();
            let press = match pressed {
                None => Some(&[Signal::SIGTERM, Signal::SIGCONT][..]),
                Some(()) if elapsed > TERMINATE_GRACE => Some(&[Signal::SIGKILL][..]),
                Some(()) => None,
            };
            let call = earlier.clone();
            let left = off_thread(move || press_newcomers(self.key, &call, press.unwrap_or_default())).await;
            if left.unwrap_or(0) == 0 {
                return;
            }
            if elapsed > PATIENCE {
                tracing::warn!("tools that the agent left running could not be ended");
                return;
            }
            pressed = Some(());
            backoff.wait().await;
        }
    }
}

/// Sends `signals` to the newcomers, and gives how many there were, less those that take none from us. One that has gone
/// meanwhile counts: it may have started another.
fn press_newcomers(key: u64, earlier: &RollCall, signals: &[Signal]) -> usize {
    let newcomers = newcomers(&members(key), earlier, getpid().as_raw(), is_shell);
    let within_reach = newcomers.iter().filter(|proc| {
        signals.iter().fold(proc.signal(None), |_, signal| proc.signal(Some(*signal))) != Sent::Forbidden
    });
    within_reach.count()
}

/// Who has joined since and is no helper of the agent itself: an agent keeps those in its own process group, and so
/// they are told from tools, which have a group or session of their own, are shells, or have lost the one who started
/// them to the daemon, whose number is `daemon`.
fn newcomers(
    members: &[Proc],
    earlier: &RollCall,
    daemon: i32,
    is_shell: impl Fn(&Proc) -> bool,
) -> Vec<Proc> {
    let is_new = |proc: &Proc| !earlier.present.contains(&proc.id);
    let is_tool = |proc: &Proc| {
        is_new(proc) && (proc.parent == daemon || !earlier.groups.contains(&proc.group) || is_shell(proc))
    };
    let mut seen = HashSet::new();
    let mut found = table::with_descendants(members, members.iter().copied().filter(is_tool));
    found.retain(|proc| is_new(proc) && proc.state != State::Zombie && seen.insert(proc.id));
    found
}

fn is_shell(proc: &Proc) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{}/comm", proc.id.pid)).unwrap_or_default();
    SHELLS.contains(&name.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proc(pid: i32, parent: i32, group: i32) -> Proc {
        let id = Identity { pid, started: 1 };
        Proc { id, parent, group, session: group, state: State::Awake }
    }

    #[test]
    fn tools_are_told_from_helpers() {
        const DAEMON: i32 = 1;
        let agent = proc(10, DAEMON, 10);
        let old_helper = proc(11, 10, 10);
        let earlier = RollCall { present: [agent.id, old_helper.id].into(), groups: [10].into() };
        let members = [
            agent,
            old_helper,
            proc(12, 10, 10),     // a helper that came with the turn
            proc(20, 10, 20),     // a tool in a session of its own
            proc(21, 20, 20),     // what it runs
            proc(30, DAEMON, 30), // an orphan
            proc(40, 10, 10),     // a shell in the agent's own group
            proc(41, 40, 10),     // what it runs
        ];
        let mut pids: Vec<i32> = newcomers(&members, &earlier, DAEMON, |proc| proc.id.pid == 40)
            .iter()
            .map(|p| p.id.pid)
            .collect();
        pids.sort_unstable();
        assert_eq!(pids, [20, 21, 30, 40, 41]);
    }
}

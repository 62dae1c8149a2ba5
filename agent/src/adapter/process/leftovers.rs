//! What an earlier life of the daemon left behind.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{geteuid, getpid};

use super::RUN_ID;
use super::mark::Mark;
use super::table::{self, Identity, Proc, Sent, State};

/// How long the dead are given to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Kills every process of this user whose environment names a run with this mark, with its descendants, and waits up
/// to 2 s until all are gone. Gives how many there were.
///
/// The process that calls is spared, and so are its ancestors and descendants: an agent may have been the one to start
/// the daemon anew.
///
/// Blocks; for the daemon's start, before the first run.
pub fn sweep_leftovers(mark: &Mark) -> usize {
    sweep(|run_id| mark.is_on(run_id), getpid().as_raw())
}

fn sweep(is_ours: impl Fn(&str) -> bool, spared: i32) -> usize {
    let started = Instant::now();
    let mut killed: HashSet<Identity> = HashSet::new();
    let mut pause = Duration::from_millis(1);
    loop {
        let doomed = doomed(&table::read_all(), spared, |proc| carries(proc, &is_ours));
        let mut is_over = true;
        for proc in &doomed {
            match proc.signal(Some(Signal::SIGKILL)) {
                Sent::Delivered => {
                    killed.insert(proc.id);
                    is_over = false;
                }
                // It may have started another since the table was read.
                Sent::Gone => is_over = false,
                Sent::Forbidden => {}
            }
        }
        if is_over || started.elapsed() > PATIENCE {
            return killed.len();
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn carries(proc: &Proc, is_ours: impl Fn(&str) -> bool) -> bool {
    table::user(proc.id.pid).is_ok_and(|user| user == geteuid().as_raw())
        && table::variable(proc.id.pid, RUN_ID).is_some_and(|id| is_ours(&id))
}

/// The live processes that carry an id, with their descendants, less what is to be spared.
fn doomed(table: &[Proc], spared: i32, carries: impl Fn(&Proc) -> bool) -> Vec<Proc> {
    let ancestors = ancestors(table, spared);
    let itself = table.iter().copied().filter(|proc| proc.id.pid == spared);
    let kept: HashSet<i32> = table::with_descendants(table, itself).iter().map(|proc| proc.id.pid).collect();
    let is_spared = |proc: &Proc| ancestors.contains(&proc.id.pid) || kept.contains(&proc.id.pid);
    let roots = table.iter().copied().filter(|proc| !is_spared(proc) && carries(proc));
    let mut seen = HashSet::new();
    let mut doomed = table::with_descendants(table, roots);
    doomed.retain(|proc| proc.state != State::Zombie && !is_spared(proc) && seen.insert(proc.id));
    doomed
}

fn ancestors(table: &[Proc], pid: i32) -> HashSet<i32> {
    let mut found = HashSet::new();
    let mut current = pid;
    while let Some(parent) = table.iter().find(|proc| proc.id.pid == current).map(|proc| proc.parent) {
        if !found.insert(parent) {
            break;
        }
        current = parent;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn row(pid: i32, parent: i32) -> Proc {
        let id = Identity { pid, started: 1 };
        Proc { id, parent, group: pid, session: pid, state: State::Awake }
    }

    #[test]
    fn the_caller_its_ancestors_and_its_descendants_are_spared() {
        // 2 and 4 are an earlier life's, and so is all that has sprung from them; 20 calls, 21 is its child.
        let table =
            [row(1, 0), row(2, 1), row(20, 2), row(21, 20), row(3, 2), row(4, 1), row(5, 4), row(6, 1)];
        let carriers = [2, 20, 21, 3, 4];
        let doomed = doomed(&table, 20, |proc| carriers.contains(&proc.id.pid));
        let mut pids: Vec<i32> = doomed.iter().map(|proc| proc.id.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [3, 4, 5]);
    }

    #[test]
    fn leftovers_are_killed_with_their_descendants() {
        let run_id = format!("leftover-{}", std::process::id());
        let mut spared = Command::new("sleep").arg("1000").env(RUN_ID, &run_id).spawn().unwrap();
        // The grandchild does not carry the id.
        let mut leftover = Command::new("sh")
            .args(["-c", "env -i sleep 1000 & echo; wait"])
            .env(RUN_ID, &run_id)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = leftover.stdout.take().unwrap();
        std::io::Read::read_exact(&mut out, &mut [0]).unwrap();

        let spared_pid = i32::try_from(spared.id()).unwrap();
        assert_eq!(sweep(|id| id == run_id, spared_pid), 2);
        assert!(!leftover.wait().unwrap().success());
        // The grandchild held the other end.
        assert_eq!(std::io::Read::read(&mut out, &mut [0]).unwrap(), 0);
        assert!(spared.try_wait().unwrap().is_none());
        spared.kill().unwrap();
        spared.wait().unwrap();
    }
}

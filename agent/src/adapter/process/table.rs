//! The system's table of processes, as `/proc` shows it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process, told apart from a later one that was given the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) pid: i32,
    /// When it started, in clock ticks since the machine did.
    pub(super) started: u64,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It runs, or sleeps in a way that a signal ends.
    Awake,
    /// It is in the kernel and takes no signal before it leaves it.
    Uninterruptible,
    /// A signal or a debugger has stopped it.
    Stopped,
    /// It is dead, and nobody has taken note yet.
    Zombie,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proc {
    pub(super) id: Identity,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    pub(super) state: State,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Sent {
    Delivered,
    /// The process is no more.
    Gone,
    /// The process has become another user's.
    Forbidden,
}

impl Proc {
    /// Sends `signal`, or with none asks whether one could be sent. The pid is looked at again first, for it may have
    /// gone to another process since the table was read.
    pub(super) fn signal(&self, signal: Option<Signal>) -> Sent {
        if read(self.id.pid).is_none_or(|now| now.id != self.id) {
            return Sent::Gone;
        }
        match kill(Pid::from_raw(self.id.pid), signal) {
            Ok(()) => Sent::Delivered,
            Err(Errno::EPERM) => Sent::Forbidden,
            Err(_) => Sent::Gone,
        }
    }
}

/// How often the list is looked at for who came while it was read: each time is short, and few come meanwhile.
const MOST_ROUNDS: usize = 8;

/// All processes that can be seen.
///
/// Who starts another and ends while this reads would hide the other: it was not there yet when the list was made, and
/// nothing of the run is left in it. So those who came meanwhile are read too, until nobody has.
///
/// `/proc/PID/task/*/children` would be the shorter way to a process's descendants, but not every kernel has it, and
/// it may leave out children while their siblings exit: no ground to say that nothing is left.
pub(super) fn read_all() -> Vec<Proc> {
    let (mut table, mut seen) = (Vec::new(), HashSet::new());
    for _ in 0..MOST_ROUNDS {
        let mut newcomers = pids();
        newcomers.retain(|pid| seen.insert(*pid));
        if newcomers.is_empty() {
            break;
        }
        table.extend(newcomers.into_iter().filter_map(read));
    }
    table
}

fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// One process, if there is one.
pub(super) fn read(pid: i32) -> Option<Proc> {
    // All that is wanted stands in the first half; the name, which may be anything, has 15 bytes.
    let mut buffer = [0_u8; 512];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    parse(pid, &buffer[..length])
}

fn parse(pid: i32, stat: &[u8]) -> Option<Proc> {
    // The name stands in brackets and may hold brackets itself.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace();
    let state = match fields.next()? {
        "T" | "t" => State::Stopped,
        "Z" | "X" => State::Zombie,
        "D" => State::Uninterruptible,
        // The kernel's own letters: some are states of sleep, and there may be new ones.
        _ => State::Awake,
    };
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(Proc { id: Identity { pid, started }, parent, group, session, state })
}

/// The value that `name` had in the environment of a process when it started its program; none if the process has no
/// such variable, is dead, or does not let us look.
pub(super) fn variable(pid: i32, name: &str) -> Option<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environ.split(|byte| *byte == 0).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// The user that a process belongs to.
pub(super) fn user(pid: i32) -> io::Result<u32> {
    fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid())
}

/// The processes of `table` below `roots`, themselves included, parents before their children.
pub(super) fn with_descendants(table: &[Proc], roots: impl IntoIterator<Item = Proc>) -> Vec<Proc> {
    let mut children: HashMap<i32, Vec<Proc>> = HashMap::new();
    for proc in table {
        children.entry(proc.parent).or_default().push(*proc);
    }
    let mut found: Vec<Proc> = roots.into_iter().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|proc| proc.id.pid) {
        // Taken out, so that a table that was read while pids changed hands cannot lead in circles.
        found.extend(children.remove(&parent).into_iter().flatten());
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whatever_the_name() {
        let stat = b"42 (a) R (b) T 7 42 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n";
        let proc = parse(42, stat).unwrap();
        assert_eq!(proc.id, Identity { pid: 42, started: 98765 });
        assert_eq!((proc.parent, proc.group, proc.session, proc.state), (7, 42, 41, State::Stopped));
        assert_eq!(parse(42, b"42 (sh"), None);
    }

    #[test]
    fn the_table_holds_us() {
        let me = i32::try_from(std::process::id()).unwrap();
        let proc = read_all().into_iter().find(|proc| proc.id.pid == me).unwrap();
        assert_eq!(proc.parent, nix::unistd::getppid().as_raw());
        assert_eq!(proc.group, nix::unistd::getpgrp().as_raw());
        assert_eq!(proc.signal(None), Sent::Delivered);
        let stale = Proc { id: Identity { pid: me, started: proc.id.started + 1 }, ..proc };
        assert_eq!(stale.signal(None), Sent::Gone);
    }
}

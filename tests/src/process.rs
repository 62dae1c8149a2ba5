//! Processes as the system shows them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program and arguments.
    pub command: String,
}

impl Process {
    /// All processes in whose environment the variable `name` is `value`: a process and its descendants, wherever they
    /// went. Those that have ended and were not reaped yet have no environment any more and are not among them.
    pub fn all_with(name: &str, value: &OsStr) -> Vec<Self> {
        let wanted = [name.as_bytes(), b"=", value.as_bytes()].concat();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
        })
        .map(|pid| Self { pid, command: command_line(pid) })
        .collect()
    }

    /// Whether it has ended.
    pub fn is_gone(&self) -> bool {
        command_line(self.pid) != self.command
    }

    /// Sends it a signal; that it is gone already is fine.
    pub fn signal(&self, signal: Signal) {
        send(self.pid, signal);
    }
}

/// Sends a signal; that the process is gone already is fine.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("the number of a process fits"));
    // Nothing is left to be done where there is nobody.
    let _ = kill(pid, signal);
}

fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

//! How many files may be open: many in the daemon, and in what it runs as many as whoever started the daemon allows.

use std::sync::OnceLock;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// The open files that the daemon would like to be allowed.
const MANY: u64 = 16_384;

/// What it was allowed when it started, where it has been allowed more since.
static AT_START: OnceLock<Option<u64>> = OnceLock::new();

/// Connections are files, and the usual limit of a shell is below what the server takes.
pub(crate) fn allow_many() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= MANY) {
        return;
    }
    AT_START.get_or_init(|| current);
    let wanted = maximum.map_or(MANY, |most| most.min(MANY));
    // With fewer it goes on as well as it can.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
}

/// Allows a process that was just started as many as the daemon was: a program that waits for its files by `select` breaks
/// where one has a number above 1,023. It has hardly begun, and has not opened so many yet.
pub(crate) fn allow_as_at_start(process: i32) {
    let (Some(&current), Some(pid)) = (AT_START.get(), Pid::from_raw(process)) else { return };
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // It fails where the process has ended already.
    let _ = prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum });
}

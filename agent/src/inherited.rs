//! What whoever starts the daemon has open, and hands to it without a thought: a lock that a script holds, the end of a
//! pipe that somebody reads to its end. The daemon outlives them, and would pass it all on to what it runs.

use std::os::fd::RawFd;

/// The first descriptor that is none of the standard streams.
const FIRST: RawFd = 3;

/// Closes all of it but the standard streams. This is for the very start, when nothing that is open is the daemon's own.
pub(crate) fn close_all() {
    // Without `/proc` they stay, as they do for most programs.
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let open: Vec<RawFd> = names.filter_map(|name| name.parse().ok()).filter(|fd| *fd >= FIRST).collect();
    for fd in open {
        // That of the directory just read is closed by now.
        let _ = nix::unistd::close(fd);
    }
}

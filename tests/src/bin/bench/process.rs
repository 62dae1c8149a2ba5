//! What the kernel tells of a process, and ending one.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The unit of times in `/proc/PID/stat`; Linux has had no other for programs.
const TICK: Duration = Duration::from_millis(10);

/// The size of the machine.
pub(crate) fn machine() -> anyhow::Result<String> {
    let processors = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo").context("/proc/meminfo cannot be read")?;
    let memory = field(&memory, "MemTotal:").context("/proc/meminfo has no total")? / 1024.0 / 1024.0;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!("{processors} processors, {memory:.0} GB of memory, Linux {}", kernel.trim()))
}

/// The load averages of the machine.
pub(crate) fn load_average() -> anyhow::Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg").context("/proc/loadavg cannot be read")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// The memory of a process that is resident, in MB (of 1024 × 1024 bytes).
pub(crate) fn resident_mb(pid: u32) -> anyhow::Result<f64> {
    megabytes(pid, "VmRSS:")
}

/// The part of it that is no file's, and so no other process's that runs the same program.
pub(crate) fn own_mb(pid: u32) -> anyhow::Result<f64> {
    megabytes(pid, "RssAnon:")
}

fn megabytes(pid: u32, name: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, name).context("a process without memory")? / 1024.0)
}

/// The processor time that a process has used, to [`TICK`], ended threads included.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the name in brackets, may hold anything.
    let after_name = stat.rsplit_once(") ").context("/proc/PID/stat has no name")?.1;
    let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// What the threads of a process have done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Threads {
    /// The processor time of those that live, exactly.
    pub(crate) cpu: Duration,
    /// How often they went to sleep by themselves, and so how often they woke up.
    pub(crate) sleeps: f64,
}

/// What the threads of a process have done so far.
pub(crate) fn threads(pid: u32) -> anyhow::Result<Threads> {
    let mut sum = Threads::default();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        let scheduled = std::fs::read_to_string(thread.join("schedstat"))?;
        let nanos = scheduled.split(' ').next().unwrap_or_default().parse()?;
        sum.cpu += Duration::from_nanos(nanos);
        let status = std::fs::read_to_string(thread.join("status"))?;
        sum.sleeps += field(&status, "voluntary_ctxt_switches:").context("a thread without switches")?;
    }
    Ok(sum)
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Asks a process to end and waits; kills it if it takes longer than `patience`.
pub(crate) fn end(child: &mut Child, patience: Duration) -> std::io::Result<ExitStatus> {
    let began = Instant::now();
    if let Ok(pid) = i32::try_from(child.id()) {
        // Fails only if it has ended already.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    while began.elapsed() < patience {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()
}

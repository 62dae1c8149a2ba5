//! The adapters that need no agent, driven as the driver does it, with real processes.

mod control;
mod echo;
mod exec;
mod processes;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::exec::OnPreempt;
use super::*;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const MAX_OUTPUT: usize = 4 * 1024 * 1024;

/// A run under test.
struct Subject {
    run: Run,
    run_id: String,
    turn: Arc<Turn>,
    reports: mpsc::UnboundedReceiver<Report>,
    dir: TempDir,
}

fn sh(script: &str) -> Exec {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Exec { command, env: BTreeMap::new(), on_preempt: OnPreempt::Suspend }
}

fn start(adapter: impl Into<Adapter>, instruction: &str) -> Subject {
    start_in(TempDir::new().unwrap(), adapter, instruction)
}

fn start_in(dir: TempDir, adapter: impl Into<Adapter>, instruction: &str) -> Subject {
    start_as(Source::File, dir, adapter, instruction)
}

fn start_as(source: Source, dir: TempDir, adapter: impl Into<Adapter>, instruction: &str) -> Subject {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    process::become_subreaper().unwrap();
    let run_id = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let item = ItemId::parse("TASK-1").unwrap();
    let turn = Turn::of_task(item.clone(), MAX_OUTPUT);
    let spec = RunSpec {
        run_id: run_id.clone(),
        bot: BotId::parse("BOT-002").unwrap(),
        item,
        source,
        session: "session".to_owned(),
        agent_session: None,
        goes_on: false,
        earlier: Vec::new(),
        instruction: instruction.to_owned(),
        workdir: dir.path().to_owned(),
    };
    let (sender, reports) = mpsc::unbounded_channel();
    let report = move |report| drop(sender.send(report));
    let run = adapter.into().start(&Handle::current(), spec, Arc::clone(&turn), report);
    Subject { run, run_id, turn, reports, dir }
}

impl From<Echo> for Adapter {
    fn from(echo: Echo) -> Self {
        Self::Echo(echo)
    }
}

impl From<Exec> for Adapter {
    fn from(exec: Exec) -> Self {
        Self::Exec(exec)
    }
}

impl Subject {
    async fn report(&mut self) -> Report {
        let report = timeout(PATIENCE, self.reports.recv()).await;
        report
            .unwrap_or_else(|_| panic!("no report; so far: {:?}", self.text()))
            .expect("an end was reported before")
    }

    async fn suspended(&mut self) {
        self.run.control(Control::Suspend);
        assert_eq!(self.report().await, Report::Suspended);
    }

    /// The end, which must be the last report, and leave no process.
    async fn ended(&mut self) -> Result<(), Failure> {
        let Report::Ended(outcome) = self.report().await else { panic!("suspended") };
        assert_eq!(states(&self.run_id), "", "processes are left");
        assert_eq!(timeout(PATIENCE, self.reports.recv()).await.unwrap(), None, "a report after the end");
        outcome.result
    }

    /// Waits until the run has said a whole line that `wanted` takes, and gives what it makes of it.
    async fn said<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let mut changes = self.turn.changes();
        let find =
            || self.text().split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).find_map(&wanted);
        loop {
            changes.mark_unchanged();
            if let Some(found) = find() {
                return found;
            }
            timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
        }
    }

    async fn said_line(&self, line: &str) {
        self.said(|said| (said == line).then_some(())).await;
    }

    fn text(&self) -> String {
        self.turn.text().0
    }
}

/// The states of the live processes of a run, a letter each.
fn states(run_id: &str) -> String {
    let marker = format!("HIVE_RUN_ID={run_id}");
    let carries = |pid: &String| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|pair| pair == marker.as_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    pids.filter(carries).filter_map(|pid| state(&pid)).filter(|state| *state != 'Z').collect()
}

fn state(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn is_alive(pid: &str) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// For what no event tells of.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn what_a_failure_quotes_is_bounded() {
    let failure = Failure::new(code::ADAPTER_ERROR, "ä".repeat(1 << 20));
    assert!(failure.message.len() <= MAX_MESSAGE + '…'.len_utf8() && failure.message.ends_with('…'));
}

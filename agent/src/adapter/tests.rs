//! Both adapters, driven as the driver does it, with real processes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
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

#[tokio::test]
async fn echo_gives_the_instruction_back() {
    for delay in [Duration::ZERO, Duration::from_micros(1)] {
        let instruction = format!(
            "  one\t two\n\n{} ende ",
            "drei€ ".repeat(10_000 / (1 + delay.subsec_micros() as usize * 999))
        );
        let mut subject = start(Echo { delay }, &instruction);
        assert_eq!(subject.ended().await, Ok(()));
        assert_eq!(subject.text(), instruction);
    }
}

#[tokio::test]
async fn echo_pauses_between_words() {
    let mut subject = start(Echo { delay: Duration::from_hours(1) }, "one\ntwo");
    subject.said_line("one").await;
    subject.suspended().await;
    subject.run.control(Control::Suspend);
    subject.run.control(Control::Resume);
    subject.run.control(Control::Resume);
    subject.run.control(Control::Cancel);
    assert!(subject.ended().await.is_err());
    assert_eq!(subject.text(), "one\n");
    subject.run.control(Control::Kill);
}

#[tokio::test]
async fn the_instruction_goes_in_and_all_output_comes_out() {
    let instruction = "zeile €\n".repeat(100_000);
    let mut subject = start(sh("cat"), &instruction);
    assert_eq!(subject.ended().await, Ok(()));
    assert!(subject.text() == instruction);
}

#[tokio::test]
async fn a_command_that_does_not_read_is_no_error() {
    let mut subject = start(sh("echo done"), &"x".repeat(1024 * 1024));
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "done\n");
}

#[tokio::test]
async fn an_argument_can_take_the_instruction() {
    let mut exec = sh(r#"printf '<%s>' "$@"; cat"#);
    exec.command.extend(["sh", "{prompt}", "not {prompt}", "{prompt}"].map(str::to_owned));
    let mut subject = start(exec, "a 'b' $c\n");
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "<a 'b' $c\n><not {prompt}><a 'b' $c\n>");
}

#[tokio::test]
async fn the_first_output_comes_at_once_and_a_split_character_stays_whole() {
    let mut subject = start(
        sh(r"echo first; printf 'a\342\202'; while [ ! -e go ]; do sleep 0.01; done; printf '\254b\377'"),
        "",
    );
    subject.said_line("first").await;
    until("all but the split character", || subject.text().ends_with('a')).await;
    fs::write(subject.dir.path().join("go"), "").unwrap();
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "first\na€b\u{FFFD}");
}

#[tokio::test]
async fn a_flood_is_cut() {
    let mut subject = start(sh("head -c 50000000 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero >&2"), "");
    assert_eq!(subject.ended().await, Ok(()));
    let (text, is_cut) = subject.turn.text();
    assert!(is_cut && text.len() == MAX_OUTPUT);
}

#[tokio::test]
async fn the_end_of_the_command_decides() {
    let mut subject = start(sh("echo partial; echo why >&2; exit 3"), "");
    let failure = subject.ended().await.unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (code::EXIT_STATUS, "exited with status 3: why"));
    assert_eq!(subject.text(), "partial\n");

    let failure = start(sh("kill -SEGV $$"), "").ended().await.unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (code::SIGNALLED, "ended by signal 11 (SIGSEGV)"));
}

#[tokio::test]
async fn a_command_that_does_not_start_tells_a_person_why() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("plain"), "text").unwrap();
    fs::write(dir.path().join("orphaned"), "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(dir.path().join("orphaned"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().to_owned();
    let cases: [(&[&str], &str, &str); 7] = [
        (&[], "", "no command is set"),
        (&["no-such-agent"], "", "'no-such-agent' was not found in PATH"),
        (&["./no-such-agent"], "", "there is no './no-such-agent'"),
        (&["./plain"], "", "'./plain' is not executable"),
        (&["./orphaned"], "", "the interpreter that its first line names is not there"),
        (&["echo", "{prompt}"], "a\0b", "leave {prompt} out"),
        (&["echo", "{prompt}"], &"x".repeat(1024 * 1024), "leave {prompt} out"),
    ];
    let mut dir = dir;
    for (command, instruction, message) in cases {
        let command = command.iter().map(ToString::to_string).collect();
        let exec = Exec { command, env: BTreeMap::new(), on_preempt: OnPreempt::Restart };
        let mut subject = start_as(Source::Chat, dir, exec, instruction);
        let failure = subject.ended().await.unwrap_err();
        assert_eq!(failure.code, code::ADAPTER_UNAVAILABLE);
        assert!(failure.message.contains(message), "{failure}");
        dir = subject.dir;
    }
    fs::remove_dir_all(path).unwrap();
    let failure = start_as(Source::Chat, dir, sh("true"), "").ended().await.unwrap_err();
    assert_eq!(failure.code, code::ADAPTER_UNAVAILABLE);
    assert!(failure.message.contains("working directory"), "{failure}");
}

#[tokio::test]
async fn a_task_whose_command_does_not_start_is_held_up_until_it_does_and_gives_way_meanwhile() {
    let exec = |words: &[&str]| {
        let command = words.iter().map(ToString::to_string).collect();
        Exec { command, env: BTreeMap::new(), on_preempt: OnPreempt::Suspend }
    };
    let mut subject = start(exec(&["./agent"]), "");
    let held_up = |report: Report| match report {
        Report::HeldUp(Some(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(held_up(subject.report().await).contains("there is no './agent'"));
    subject.run.control(Control::Suspend);
    assert_eq!(subject.report().await, Report::Suspended);
    let path = subject.dir.path().join("agent");
    fs::write(&path, "#!/bin/sh\necho here\n").unwrap();
    subject.run.control(Control::Resume);
    // It is there, and may not be run yet.
    assert!(held_up(subject.report().await).contains("is not executable"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(subject.report().await, Report::HeldUp(None));
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "here\n");

    let mut subject = start(exec(&["./agent"]), "");
    assert!(matches!(subject.report().await, Report::HeldUp(Some(_))));
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await.unwrap_err().code, code::CANCELLED);
    // An instruction that cannot be given is the task's own fault.
    let failure = start(exec(&["echo", "{prompt}"]), "a\0b").ended().await.unwrap_err();
    assert!(failure.message.contains("leave {prompt} out"), "{failure}");
}

#[tokio::test]
async fn the_environment_names_the_run_and_has_no_token() {
    let mut exec = sh("env; pwd -P");
    let env = [("HIVE_TOKEN", "secret"), ("HIVE_RUN_ID", "forged"), ("COLOUR", "blue")];
    exec.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut subject = start(exec, "");
    assert_eq!(subject.ended().await, Ok(()));
    let text = subject.text();
    let lines: Vec<&str> = text.lines().collect();
    let run_id = format!("HIVE_RUN_ID={}", subject.run_id);
    for line in ["HIVE_BOT_ID=BOT-002", "HIVE_TASK_ID=TASK-1", &run_id, "COLOUR=blue"] {
        assert!(lines.contains(&line), "{line} is not in {text}");
    }
    assert!(!text.contains("HIVE_TOKEN") && !text.contains("secret"));
    assert_eq!(lines.last(), fs::canonicalize(&subject.dir).unwrap().to_str().as_ref());
}

/// Counts, with a new process for each number, beside a descendant in a session of its own that does the same.
const COUNTER: &str = r#"
    count() { i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo "$1 $i"; /bin/true; done; }
    if [ "$1" = apart ]; then count apart; exit; fi
    setsid sh -c "$0" "$0" apart & count here; wait
"#;

#[tokio::test]
async fn a_suspended_run_stands_still_and_then_loses_and_repeats_nothing() {
    let mut exec = sh(COUNTER);
    exec.command.push(COUNTER.to_owned());
    let mut subject = start(exec, "");
    for number in [1, 40, 90] {
        subject.said_line(&format!("here {number}")).await;
        subject.said_line(&format!("apart {number}")).await;
        subject.suspended().await;
        let states = states(&subject.run_id);
        // A parent in vfork stays in D until its stopped child goes on.
        assert!(states.len() >= 2 && states.chars().all(|state| "TD".contains(state)), "{states}");
        subject.run.control(Control::Suspend);
        subject.run.control(Control::Resume);
    }
    assert_eq!(subject.ended().await, Ok(()));
    let text = subject.text();
    for side in ["here", "apart"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(side)).collect();
        let all: Vec<String> = (1..=200).map(|i| format!("{side} {i}")).collect();
        assert_eq!(lines, all);
    }
}

#[tokio::test]
async fn suspending_and_resuming_in_quick_succession_is_harmless() {
    let mut subject = start(sh("echo ready; read -r line; echo $line"), "word\n");
    for _ in 0..50 {
        subject.run.control(Control::Suspend);
        subject.run.control(Control::Resume);
    }
    let result = loop {
        match subject.report().await {
            Report::Ended(outcome) => break outcome.result,
            Report::Suspended => {}
            other @ (Report::HeldUp(_) | Report::Asked(_) | Report::Unasked(_) | Report::Session(_)) => {
                panic!("{other:?}")
            }
        }
    };
    assert_eq!((result, subject.text().as_str()), (Ok(()), "ready\nword\n"));
}

#[tokio::test]
async fn cancel_asks_the_command_to_end() {
    let mut subject = start(sh("trap 'echo bye; exit 0' TERM; sleep 1000 & echo ready; wait"), "");
    subject.said_line("ready").await;
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "ready\nbye\n");
}

#[tokio::test]
async fn cancel_reaches_a_suspended_command() {
    let mut subject = start(sh("trap 'echo bye; exit 7' TERM; sleep 1000 & echo ready; wait"), "");
    subject.said_line("ready").await;
    subject.suspended().await;
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await.unwrap_err().message, "exited with status 7");
}

#[tokio::test]
async fn terminate_reaches_a_session_of_its_own() {
    let script = "trap : TERM; setsid sh -c 'echo $$; exec sleep 1000' & wait; wait; echo over";
    let mut subject = start(sh(script), "");
    let pid = subject.said(|line| Some(line.to_owned())).await;
    subject.run.control(Control::Terminate);
    assert_eq!(subject.ended().await, Ok(()));
    assert!(!is_alive(&pid));
    assert!(subject.text().ends_with("over\n"));
}

#[tokio::test]
async fn kill_reaches_all_descendants() {
    // One ignores the signal, one has a session of its own and one hides where it came from.
    let script = "trap '' TERM; sleep 1000 & echo $!; setsid sleep 1000 & echo $!
        setsid env -i sleep 1000 & echo $!; echo ready; wait; sleep 1000";
    for suspend_first in [false, true] {
        let mut subject = start(sh(script), "");
        subject.said_line("ready").await;
        if suspend_first {
            subject.suspended().await;
        } else {
            subject.run.control(Control::Cancel);
            subject.run.control(Control::Terminate);
        }
        subject.run.control(Control::Kill);
        subject.run.control(Control::Kill);
        assert_eq!(subject.ended().await.unwrap_err().code, code::SIGNALLED);
        let text = subject.text();
        let pids: Vec<&str> = text.lines().take(3).collect();
        assert!(pids.iter().all(|pid| !is_alive(pid)), "{pids:?}");
    }
}

#[tokio::test]
async fn dropping_a_run_kills_it() {
    let subject = start(sh("trap '' TERM; echo ready; while :; do sleep 1000; done"), "");
    subject.said_line("ready").await;
    let Subject { run, mut reports, .. } = subject;
    drop(run);
    let Some(Report::Ended(outcome)) = timeout(PATIENCE, reports.recv()).await.unwrap() else { panic!() };
    assert_eq!(outcome.result.unwrap_err().code, code::SIGNALLED);
}

#[tokio::test]
async fn a_command_that_starts_over_is_gone_while_it_is_suspended() {
    let mut exec = sh("echo x >> starts
        case $(wc -l < starts) in 1) echo first; setsid sleep 1000; esac
        cat");
    exec.on_preempt = OnPreempt::Restart;
    let mut subject = start(exec.clone(), "second");
    subject.said_line("first").await;
    subject.suspended().await;
    assert_eq!(states(&subject.run_id), "");
    assert_eq!(subject.text(), "first\n", "what was said stays until it starts over");
    subject.run.control(Control::Suspend);
    subject.run.control(Control::Resume);
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "second");

    let mut subject = start(exec, "");
    subject.said_line("first").await;
    subject.suspended().await;
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await.unwrap_err().code, code::CANCELLED);
}

#[tokio::test]
async fn background_processes_may_finish_but_not_stay() {
    let mut subject = start(sh("(sleep 0.05; echo late) & echo early"), "");
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "early\nlate\n");

    let mut subject =
        start(sh("(trap '' TERM; sleep 1000; sleep 1000) & setsid sleep 1000 & echo early"), "");
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "early\n");
}

#[tokio::test]
async fn dead_orphans_do_not_stay_while_a_run_goes_on() {
    let reaper = tokio::spawn(process::reap_orphans());
    let mut subject = start(sh("(setsid sh -c 'echo $$' &); (sh -c 'echo $$' &); exec sleep 1000"), "");
    let first = subject.said(|line| Some(line.to_owned())).await;
    let second = subject.said(|line| (line != first).then(|| line.to_owned())).await;
    until("both orphans are reaped", || state(&first).is_none() && state(&second).is_none()).await;
    subject.run.control(Control::Kill);
    assert!(subject.ended().await.is_err());
    reaper.abort();
}

#[tokio::test]
async fn other_children_of_the_daemon_are_left_alone() {
    let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let mut subject = start(sh("echo ready; sleep 1000"), "");
    subject.said_line("ready").await;
    subject.suspended().await;
    assert_ne!(state(&other.id().to_string()), Some('T'));
    subject.run.control(Control::Kill);
    assert!(subject.ended().await.is_err());
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn what_a_failure_quotes_is_bounded() {
    let failure = Failure::new(code::ADAPTER_ERROR, "ä".repeat(1 << 20));
    assert!(failure.message.len() <= MAX_MESSAGE + '…'.len_utf8() && failure.message.ends_with('…'));
}

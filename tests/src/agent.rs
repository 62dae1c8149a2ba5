//! A running hive-agent.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use hive_shared::api::BotRecord;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::api::Api;
use crate::binaries::binary;
use crate::chat::ChatSocket;
use crate::follow::Follow;
use crate::hive::Hive;
use crate::process::{self, Process};
use crate::wait;

/// The variable by which a daemon and all that came from it are known.
const MARK: &str = "HARNESS_AGENT";

/// A daemon that is killed, with all that came from it, when it is dropped.
#[derive(Debug)]
pub struct Agent {
    hive: Hive,
    child: Child,
    mark: OsString,
    /// In the hive's root, where its stderr goes.
    stderr: String,
    record: Option<BotRecord>,
}

/// A daemon that has ended.
#[derive(Debug)]
pub struct Exit {
    /// How.
    pub status: ExitStatus,
    /// What it said.
    pub stderr: String,
}

impl Agent {
    /// Starts the bot of a hive, and waits until it is ready.
    pub async fn start(hive: &Hive) -> Self {
        Self::start_with(hive, &[]).await
    }

    /// The same with more arguments.
    pub async fn start_with(hive: &Hive, arguments: &[&str]) -> Self {
        let mut agent = Self::spawn(hive, arguments);
        agent.ready().await;
        agent
    }

    /// Starts it without waiting for anything. Its environment has nothing of the test's but `PATH`.
    pub fn spawn(hive: &Hive, arguments: &[&str]) -> Self {
        Self::spawn_in(hive, arguments, &[])
    }

    /// The same with more variables in its environment.
    pub fn spawn_in(hive: &Hive, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::spawn_by(Command::new(binary("hive-agent")), hive, arguments, environment)
    }

    /// The same after a shell has done something to itself that the daemon inherits, such as `ulimit -n 64`.
    pub fn spawn_after(prelude: &str, hive: &Hive) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{prelude}; exec \"$0\" \"$@\"")]).arg(binary("hive-agent"));
        Self::spawn_by(shell, hive, &[], &[])
    }

    fn spawn_by(mut command: Command, hive: &Hive, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let mark = OsString::from(format!("{}-{number}", std::process::id()));
        let stderr = format!("stderr-{number:04}.txt");
        let log = File::create(hive.root().join(&stderr)).expect("a file for stderr");
        let child = command
            .arg(hive.bot().as_str())
            .arg("--hive")
            .arg(hive.root())
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", hive.home())
            .env("TZ", "UTC")
            .env(MARK, &mark)
            .envs(environment.iter().copied())
            .current_dir(hive.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon can be started");
        Self { hive: hive.clone(), child, mark, stderr, record: None }
    }

    /// Waits until it says who it is and answers.
    pub async fn ready(&mut self) {
        if !self.ready_if_it_lives().await {
            let status = self.child.try_wait().expect("the daemon is ours");
            panic!("the daemon ended before it was ready: {status:?}\n{}", self.hive.state());
        }
        let health = self.api().get("/health").await;
        assert_eq!((health.status, &health.json["status"]), (200, &Value::from("ok")), "{health:?}");
    }

    /// Waits until it says who it is, which is true, or has ended.
    pub async fn ready_if_it_lives(&mut self) -> bool {
        let path = self.hive.paths().bot_record(self.hive.bot());
        let (hive, pid) = (self.hive.clone(), self.pid());
        let child = &mut self.child;
        let record = wait::until(
            "the daemon is ready",
            async || hive.state(),
            async || {
                if child.try_wait().expect("the daemon is ours").is_some() {
                    return Some(None);
                }
                let record: BotRecord = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
                (record.pid == pid).then_some(Some(record))
            },
        );
        self.record = record.await;
        self.record.is_some()
    }

    /// Waits until it is ready anew, after it had to begin with another ledger.
    pub async fn reborn(&mut self) {
        let path = self.hive.paths().bot_record(self.hive.bot());
        let last = self.record().started_at;
        self.hive
            .until("the daemon has begun anew", || {
                let record: BotRecord = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
                (record.started_at > last).then_some(())
            })
            .await;
        self.ready().await;
    }

    /// Its hive.
    pub fn hive(&self) -> &Hive {
        &self.hive
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has had resident so far, in MB (of 1024 × 1024 bytes).
    pub fn peak_memory_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it is alive");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process has memory");
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes / 1024.0
    }

    /// What it says of itself.
    pub fn record(&self) -> &BotRecord {
        self.record.as_ref().expect("the daemon is ready")
    }

    /// The token that it wants.
    pub fn token(&self) -> String {
        fs::read_to_string(self.hive.paths().token(self.hive.bot())).expect("a token")
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        self.record().url.strip_prefix("http://").expect("an HTTP address")
    }

    /// Its HTTP API.
    pub fn api(&self) -> Api {
        Api::new(self.record().url.clone(), self.hive.bot().clone(), self.token(), self.hive.clone())
    }

    /// A new chat connection, after its `hello`.
    pub async fn chat(&self) -> ChatSocket {
        ChatSocket::open(self.address(), self.hive.bot(), &self.token()).await
    }

    /// A follower of the timeline; `query` is such as `after_seq=7`, or empty.
    pub async fn follow(&self, query: &str) -> Follow {
        Follow::open(self.address(), self.hive.bot(), &self.token(), query).await
    }

    /// What it said so far.
    pub fn stderr(&self) -> String {
        self.hive.work_file(&self.stderr)
    }

    /// It and whatever came from it.
    pub fn processes(&self) -> Vec<Process> {
        Process::all_with(MARK, &self.mark)
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("the daemon is ours").is_none()
    }

    /// What came from it and is alive.
    pub fn descendants(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.pid != self.pid()).collect()
    }

    /// Waits for something that the daemon is to bring about. A failure shows its timeline and its stderr.
    pub async fn until<T>(&self, what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
        wait::until(what, async || self.state().await, condition).await
    }

    /// All that might tell why a test fails.
    pub async fn state(&self) -> String {
        let timeline = match &self.record {
            Some(_) => self.api().try_get("timeline?limit=1000").await.map_or_else(
                |error| format!("(it does not answer: {error})"),
                |reply| format!("{:#}", reply.json["entries"]),
            ),
            None => "(it was never ready)".to_owned(),
        };
        format!("--- timeline\n{timeline}\n{}", self.hive.state())
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Bounds the files that it writes to so many bytes, or lifts that bound. It does not bound what it runs already.
    pub fn bound_files(&self, bytes: Option<u64>) {
        let bound = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let pid = self.pid().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bound}:")]).status();
        assert!(set.expect("prlimit is there").success());
    }

    /// Lets it open so many more files than it has open.
    pub fn bound_open_files(&self, more: usize) {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it is alive").count();
        let pid = self.pid().to_string();
        let bound = format!("--nofile={}:", open + more);
        let set = Command::new("prlimit").args(["--pid", &pid, &bound]).status();
        assert!(set.expect("prlimit is there").success());
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::send(self.pid(), signal);
    }

    /// Kills it alone: what it runs lives on.
    pub fn kill9(&mut self) {
        self.child.kill().expect("the daemon is ours");
        self.child.wait().expect("the daemon is ours");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Exit {
        let hive = self.hive.clone();
        let child = &mut self.child;
        let ended = wait::until(
            "the daemon ends",
            async || hive.state(),
            async || child.try_wait().expect("the daemon is ours"),
        );
        Exit { status: ended.await, stderr: self.stderr() }
    }

    /// Runs it to its end.
    pub async fn run(hive: &Hive, arguments: &[&str]) -> Exit {
        Self::spawn(hive, arguments).ended().await
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // What it runs cannot start more of it than is found, once it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in Process::all_with(MARK, OsStr::new(&self.mark)) {
            process.signal(Signal::SIGKILL);
        }
    }
}

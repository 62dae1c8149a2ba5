//! A hive of a test's own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths;
use hive_shared::response::{self, ResponseHeader};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::model::ModelServer;
use crate::process::Process;
use crate::wait;

/// The bot of tests that need only one.
pub const BOT: &str = "BOT-002";

/// A hive in a temporary directory, which goes with the last clone, and all processes in it with it.
#[derive(Debug, Clone)]
pub struct Hive {
    place: Arc<Place>,
    paths: paths::Hive,
    bot: BotId,
}

#[derive(Debug)]
struct Place(TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        for process in Process::all_with("HOME", self.0.path().as_os_str()) {
            process.signal(Signal::SIGKILL);
        }
    }
}

/// A response document, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// What it says of the task.
    pub header: ResponseHeader,
    /// What the agent said.
    pub text: String,
}

impl Hive {
    /// A hive whose `hive.toml` has these lines in `[defaults]`. Unless they say otherwise, `chat_linger` is short.
    pub fn new(settings: &str) -> Self {
        let place = tempfile::Builder::new().prefix("hive-test-").tempdir().expect("a temporary directory");
        let root = place.path().canonicalize().expect("it is there");
        let paths = paths::Hive::at(root);
        let bot = BotId::parse(BOT).expect("a good id");
        paths.create(Some(&bot)).expect("the hive can be made");
        let linger = if settings.contains("chat_linger") { "" } else { "chat_linger = \"50ms\"\n" };
        fs::write(paths.settings(), format!("[defaults]\n{linger}{settings}\n"))
            .expect("settings can be written");
        Self { place: Arc::new(Place(place)), paths, bot }
    }

    /// A hive with the echo adapter, which takes `delay_ms` after each word.
    pub fn echo(delay_ms: u64, settings: &str) -> Self {
        Self::new(&format!("adapter = \"echo\"\n{settings}\n[defaults.echo]\ndelay_ms = {delay_ms}"))
    }

    /// A hive with the exec adapter, which runs a shell script for each item. The working directory is the hive's
    /// [`Hive::root`].
    pub fn exec(script: &str, settings: &str) -> Self {
        // A JSON text is a TOML text as well.
        let script = serde_json::to_string(script).expect("a text");
        Self::new(&format!("adapter = \"exec\"\ncommand = [\"sh\", \"-c\", {script}]\n{settings}"))
    }

    /// A hive with the acp adapter, which drives the suite's own agent with these flags. The working directory is the
    /// hive's [`Hive::root`].
    pub fn acp(flags: &[&str], settings: &str) -> Self {
        let agent = crate::binary("fake_agent");
        let command: Vec<&str> = std::iter::once(agent.to_str().expect("a path in Unicode"))
            .chain(flags.iter().copied())
            .collect();
        // A JSON text is a TOML text as well.
        let command = serde_json::to_string(&command).expect("texts");
        Self::new(&format!("adapter = \"acp\"\ncommand = {command}\n{settings}"))
    }

    /// A hive with the openai adapter, which asks `server`; `openai` is more of its table. It tries again quickly.
    pub fn openai(server: &ModelServer, settings: &str, openai: &str) -> Self {
        let retry = if openai.contains("retry_delay") { "" } else { "retry_delay = \"20ms\"\n" };
        let url = server.base_url();
        Self::new(&format!(
            "adapter = \"openai\"\n{settings}\n[defaults.openai]\nbase_url = \"{url}\"\nmodel = \"test-model\"\n{retry}{openai}"
        ))
    }

    /// The same hive as another of its bots has it.
    #[must_use]
    pub fn of(&self, bot: &str) -> Self {
        Self { bot: BotId::parse(bot).expect("a good id"), ..self.clone() }
    }

    /// The bot.
    pub fn bot(&self) -> &BotId {
        &self.bot
    }

    /// Where everything is.
    pub fn paths(&self) -> &paths::Hive {
        &self.paths
    }

    /// The directory that holds `.deia/`, in which agents work.
    pub fn root(&self) -> &Path {
        self.paths.root()
    }

    /// The home directory of all processes of the hive, by which they are known.
    pub fn home(&self) -> &Path {
        self.place.0.path()
    }

    /// The bot's task directory.
    pub fn tasks(&self) -> PathBuf {
        self.paths.tasks(&self.bot)
    }

    /// Drops a task file as a careful program does: written under another name, then renamed in.
    pub fn drop_task(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.root().join(format!("new-{name}"));
        fs::write(&new, text).expect("a file can be written");
        fs::rename(&new, self.tasks().join(name)).expect("a file can be renamed in");
    }

    /// Makes a control file, such as `PAUSE`.
    pub fn control(&self, act: &str, text: &str) {
        fs::write(self.control_file(act), text).expect("a file can be written");
    }

    /// Removes a control file.
    pub fn lift(&self, act: &str) {
        fs::remove_file(self.control_file(act)).expect("it is there");
    }

    /// The path of a control file.
    pub fn control_file(&self, act: &str) -> PathBuf {
        self.paths.controls().join(format!("{}-{act}", self.bot))
    }

    /// Whether a file of this name waits or runs.
    pub fn is_in_queue(&self, name: &str) -> bool {
        self.tasks().join(name).exists()
    }

    /// A file of the archive, if it is there.
    pub fn archived(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.paths.archive(&self.bot).join(name)).ok()
    }

    /// The names of the files in one of the hive's directories, sorted, less those that begin with a dot, which are not
    /// for others to see.
    pub fn names_in(&self, directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory of the hive");
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    /// Files that somebody began, to give them their names when they are whole, and did not finish: of the hive's own
    /// directories all are listed.
    pub fn unfinished_files(&self) -> Vec<PathBuf> {
        let paths = &self.paths;
        let directories = [paths.responses(), self.tasks(), paths.controls(), paths.bots(), paths.state()];
        let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).expect("a directory"));
        let mut unfinished: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        unfinished.retain(|path| path.extension().is_some_and(|ending| ending == "tmp"));
        unfinished
    }

    /// Why a file was rejected, if it was.
    pub fn rejection(&self, name: &str) -> Option<String> {
        let rejected = self.paths.rejected(&self.bot);
        let reason = fs::read_to_string(rejected.join(format!("{name}.reason.txt"))).ok()?;
        rejected.join(name).exists().then_some(reason)
    }

    /// The response of an item, under its usual name, if it is there.
    pub fn response(&self, id: &str) -> Option<Response> {
        self.response_named(&paths::Hive::response_name(&ItemId::parse(id).expect("a good id")))
    }

    /// The response document of this name, if it is there. It is there as a whole or not at all.
    pub fn response_named(&self, name: &str) -> Option<Response> {
        let document = fs::read_to_string(self.paths.responses().join(name)).ok()?;
        match response::read(&document) {
            Ok((header, text)) => Some(Response { header, text: text.to_owned() }),
            Err(error) => panic!("{name} cannot be read: {error}\n{document}"),
        }
    }

    /// A file in the agents' working directory; empty if it is not there.
    pub fn work_file(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap_or_default()
    }

    /// Makes an empty file in the agents' working directory: a sign that a script waits for.
    pub fn touch(&self, name: &str) {
        fs::write(self.root().join(name), "").expect("a file can be written");
    }

    /// All processes of the hive that are alive: daemons and whatever came from them.
    pub fn processes(&self) -> Vec<Process> {
        Process::all_with("HOME", self.home().as_os_str())
    }

    /// Waits for something that needs no daemon to be seen; see [`wait::until`].
    pub async fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        wait::until(what, async || self.state(), async || condition()).await
    }

    /// Waits for the response of an item.
    pub async fn answer(&self, id: &str) -> Response {
        self.until(&format!("the response of {id}"), || self.response(id)).await
    }

    /// All that might tell why a test fails: the hive's files, and what daemons said.
    pub fn state(&self) -> String {
        let mut state = String::from("--- files\n");
        list(&self.paths.root().join(paths::MARK), &mut state);
        for name in self.names_in(self.root()).iter().filter(|name| name.starts_with("stderr-")) {
            let _ = write!(state, "--- {name}\n{}", self.work_file(name));
        }
        state
    }
}

/// The files below a directory, one a line.
fn list(directory: &Path, to: &mut String) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            list(&path, to);
        } else {
            let size = path.symlink_metadata().map_or(0, |metadata| metadata.len());
            let _ = writeln!(to, "{} ({size} bytes)", path.display());
        }
    }
}

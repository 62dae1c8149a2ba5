//! The settings of one bot, typed, with their defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AdapterFamily, values};
use crate::program::{self, ProgramError};
use crate::work::{Mode, Priority, Source, UnknownWord, words};

words! {
    /// What drives the coding agent (SPEC 6).
    AdapterKind, "echo, exec, acp, openai, claude, codex, gemini, opencode, qwen, goose", {
        /// Built in: streams the instruction back.
        Echo = "echo",
        /// Any command: the instruction on stdin, the response from stdout.
        Exec = "exec",
        /// Any agent that speaks the Agent Client Protocol.
        Acp = "acp",
        /// A server that speaks OpenAI's chat completions.
        OpenAi = "openai",
        /// Claude Code, over ACP; this and the rest are presets.
        Claude = "claude",
        /// Codex.
        Codex = "codex",
        /// Gemini CLI.
        Gemini = "gemini",
        /// `OpenCode`.
        Opencode = "opencode",
        /// Qwen Code.
        Qwen = "qwen",
        /// Goose.
        Goose = "goose",
    }
}

words! {
    /// What happens to the processes of a task that is preempted.
    OnPreempt, "suspend, restart", {
        /// They are suspended, and continued later.
        Suspend = "suspend",
        /// They are ended, and the task starts over.
        Restart = "restart",
    }
}

words! {
    /// What becomes of the prompts of a client that is gone for good.
    OnDisconnect, "cancel, finish", {
        /// They are cancelled.
        Cancel = "cancel",
        /// They run on.
        Finish = "finish",
    }
}

words! {
    /// How an agent's request for permission is answered (SPEC 7).
    Approval, "ask, allow, deny", {
        /// A person is asked.
        Ask = "ask",
        /// Yes.
        Allow = "allow",
        /// No.
        Deny = "deny",
    }
}

/// All settings of a bot (SPEC 11). [`Default`] is what is built in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct BotSettings {
    /// Which kinds of work the bot takes.
    pub mode: Mode,
    /// What drives the coding agent.
    pub adapter: AdapterKind,
    /// Whether someone chose the adapter, rather than leaving it at the default.
    #[serde(skip)]
    pub adapter_configured: bool,
    /// The program that the adapter runs, and its arguments. Empty: none.
    #[serde(deserialize_with = "values::command")]
    pub command: Vec<String>,
    /// What is added to the environment of that program.
    pub env: BTreeMap<String, String>,
    /// Where it works; none: the root of the hive. Absolute once loaded.
    #[serde(serialize_with = "values::lossy_path")]
    pub workdir: Option<PathBuf>,
    /// The address of the HTTP server; port 0 is a free one.
    #[serde(with = "values::listen")]
    pub listen: SocketAddr,
    /// Names that a request's `Host` may have besides those that are always good (SPEC 9).
    pub allowed_hosts: Vec<String>,
    /// Origins, besides the server's own, from which browsers may connect (SPEC 9).
    pub allowed_origins: Vec<String>,
    /// The certificate chain of the server, PEM. Absolute once loaded.
    #[serde(serialize_with = "values::lossy_path")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the server, PEM. Absolute once loaded.
    #[serde(serialize_with = "values::lossy_path")]
    pub tls_key: Option<PathBuf>,
    /// The time limit of a file task that has none of its own; see [`BotSettings::limit`].
    #[serde(with = "values::duration")]
    pub task_limit: Duration,
    /// The same for the tasks of one priority.
    #[serde(with = "values::durations")]
    pub priority_limits: BTreeMap<Priority, Duration>,
    /// The time limit of a chat turn whose prompt has none of its own.
    #[serde(with = "values::duration")]
    pub chat_limit: Duration,
    /// A task with less than this left of its limit is not preempted.
    #[serde(with = "values::duration")]
    pub preempt_grace: Duration,
    /// A task that was preempted so often is not preempted again.
    pub max_preemptions: u32,
    /// What happens to the processes of a preempted task.
    pub on_preempt: OnPreempt,
    /// How long file work waits after a chat turn for the person's next word.
    #[serde(with = "values::duration")]
    pub chat_linger: Duration,
    /// How long the bot rests between file tasks.
    #[serde(with = "values::duration")]
    pub task_cooldown: Duration,
    /// How long a chat prompt waits for its client to come back.
    #[serde(with = "values::duration")]
    pub disconnect_grace: Duration,
    /// What becomes of it after that.
    pub on_disconnect: OnDisconnect,
    /// How long a task waits for a dependency that is not known.
    #[serde(with = "values::duration")]
    pub dependency_timeout: Duration,
    /// How often a task is started whose runs are cut short by crashes.
    pub max_attempts: u32,
    /// The most bytes of a response; what is beyond is cut.
    #[serde(with = "values::bytes")]
    pub max_output: u64,
    /// Whether git is asked what a run changed in the working directory.
    pub track_changes: bool,
    /// How requests for permission are answered; see [`BotSettings::approval_of`].
    pub approval: Approval,
    /// The same for file tasks.
    pub approval_file: Option<Approval>,
    /// The same for chat turns.
    pub approval_chat: Option<Approval>,
    /// What needs no question, such as `read` or `edit:src/**` (SPEC 7).
    pub approval_allow: Vec<String>,
    /// After this a request that nobody answered is denied.
    #[serde(with = "values::duration")]
    pub approval_timeout: Duration,
    /// The mode that an ACP agent is set to.
    pub acp_mode: Option<String>,
    /// Whether an ACP agent is started with the bot, ahead of its first work.
    pub warm: bool,
    /// What the echo adapter needs to know.
    pub echo: EchoSettings,
    /// What the OpenAI-compatible adapter needs to know.
    pub openai: OpenAiSettings,
    /// Where each setting that is not a default came from, by its dotted key.
    #[serde(skip)]
    pub sources: BTreeMap<String, String>,
}

/// `[bots.BOT-002.echo]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct EchoSettings {
    /// The pause after each word, in milliseconds.
    pub delay_ms: u64,
}

/// `[bots.BOT-002.openai]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct OpenAiSettings {
    /// Where the API is, such as `http://127.0.0.1:11434/v1`.
    pub base_url: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// The variable that holds the key. Where it is set it wins over the file.
    pub api_key_env: Option<String>,
    /// The file that holds the key. Absolute once loaded.
    #[serde(serialize_with = "values::lossy_path")]
    pub api_key_file: Option<PathBuf>,
    /// What the model is told before the instruction.
    pub system_prompt: Option<String>,
    /// About how many tokens a request may have: the oldest exchanges of a conversation are left out beyond it.
    pub context_tokens: u64,
    /// The most tokens of an answer; none: the server's own bound.
    pub max_tokens: Option<u64>,
    /// How freely the model chooses its words; none: the server's own measure.
    pub temperature: Option<f64>,
    /// The server has failed that sends nothing for so long.
    #[serde(with = "values::duration")]
    pub stall_timeout: Duration,
    /// How often a request is tried again that may succeed later.
    pub max_retries: u32,
    /// The pause before the first of these; it doubles, and the server's own wish wins.
    #[serde(with = "values::duration")]
    pub retry_delay: Duration,
}

impl Default for BotSettings {
    fn default() -> Self {
        const fn minutes(n: u64) -> Duration {
            Duration::from_secs(n * 60)
        }
        Self {
            mode: Mode::Hybrid,
            adapter: AdapterKind::Echo,
            adapter_configured: false,
            command: Vec::new(),
            env: BTreeMap::new(),
            workdir: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            tls_cert: None,
            tls_key: None,
            task_limit: minutes(30),
            priority_limits: BTreeMap::new(),
            chat_limit: minutes(5),
            preempt_grace: Duration::from_secs(30),
            max_preemptions: 3,
            on_preempt: OnPreempt::Suspend,
            chat_linger: Duration::from_secs(1),
            task_cooldown: Duration::ZERO,
            disconnect_grace: Duration::from_secs(10),
            on_disconnect: OnDisconnect::Cancel,
            dependency_timeout: minutes(24 * 60),
            max_attempts: 3,
            max_output: 64 << 20,
            track_changes: true,
            approval: Approval::Ask,
            approval_file: None,
            approval_chat: None,
            approval_allow: Vec::new(),
            approval_timeout: minutes(5),
            acp_mode: None,
            warm: false,
            echo: EchoSettings::default(),
            openai: OpenAiSettings::default(),
            sources: BTreeMap::new(),
        }
    }
}

impl Default for EchoSettings {
    fn default() -> Self {
        Self { delay_ms: 30 }
    }
}

impl Default for OpenAiSettings {
    fn default() -> Self {
        Self {
            base_url: None,
            model: None,
            api_key_env: None,
            api_key_file: None,
            system_prompt: None,
            context_tokens: 32_000,
            max_tokens: None,
            temperature: None,
            stall_timeout: Duration::from_secs(5 * 60),
            max_retries: 4,
            retry_delay: Duration::from_secs(1),
        }
    }
}

impl OpenAiSettings {
    /// Finds what is missing or makes no sense, and says what would.
    fn check(&self) -> Result<(), String> {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        if !given(&self.base_url) {
            return Err("the openai adapter needs the server's address, such as openai.base_url = \
                        \"http://127.0.0.1:11434/v1\""
                .to_owned());
        }
        if !given(&self.model) {
            return Err("the openai adapter needs the model's name, such as openai.model = \"qwen3-coder\""
                .to_owned());
        }
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if self.api_key_env.as_deref().is_some_and(|name| !is_name(name)) {
            // It is not said again: somebody may have written the key itself there.
            return Err("openai.api_key_env is the name of the variable that holds the key, such as \
                        \"OPENAI_API_KEY\", and what it says is no name"
                .to_owned());
        }
        if self.context_tokens == 0 || self.max_tokens == Some(0) {
            return Err("openai.context_tokens and openai.max_tokens must be more than 0".to_owned());
        }
        if self.temperature.is_some_and(|temperature| !temperature.is_finite() || temperature < 0.0) {
            return Err("openai.temperature must be 0 or more".to_owned());
        }
        if self.stall_timeout.is_zero() {
            return Err("openai.stall_timeout must be more than 0: no answer could come".to_owned());
        }
        Ok(())
    }
}

impl BotSettings {
    /// The time limit of a file task of this priority that has none of its own (SPEC 3).
    pub fn limit(&self, priority: Priority) -> Duration {
        self.priority_limits.get(&priority).copied().unwrap_or(self.task_limit)
    }

    /// How requests for permission are answered in work from this source (SPEC 7).
    pub fn approval_of(&self, source: Source) -> Approval {
        match source {
            Source::File => self.approval_file,
            Source::Chat => self.approval_chat,
            Source::Control => None,
        }
        .unwrap_or(self.approval)
    }

    /// Finds the program that does the work in `workdir`; none if no program does it. `path` is the `PATH` of the one who
    /// starts it, which `env` overrules.
    pub fn program(&self, workdir: &Path, path: Option<OsString>) -> Result<Option<PathBuf>, ProgramError> {
        match self.adapter.family() {
            AdapterFamily::Echo | AdapterFamily::OpenAi => Ok(None),
            AdapterFamily::Exec | AdapterFamily::Acp => {
                let program = self.command.first().map(String::as_str).unwrap_or_default();
                let path = self.env.get("PATH").map(OsString::from).or(path);
                program::find(program, workdir, path.as_deref()).map(Some)
            }
        }
    }

    /// What helps where that program is not found.
    pub fn remedy(&self) -> String {
        match self.adapter.preset() {
            Some(preset) => {
                format!(
                    "its makers install it with '{}'; if it is elsewhere, set 'command' in hive.toml",
                    preset.install
                )
            }
            None => "correct 'command' in hive.toml, or install the program".to_owned(),
        }
    }

    /// Fills in what the preset of the adapter says and nobody else has.
    pub(super) fn apply_preset(&mut self) {
        let Some(preset) = self.adapter.preset() else { return };
        let source = format!("adapter {}", self.adapter);
        if self.command.is_empty() {
            self.command = preset.command.iter().map(|&word| word.to_owned()).collect();
            self.sources.insert("command".to_owned(), source.clone());
        }
        if let (None, Some(mode)) = (&self.acp_mode, preset.acp_mode) {
            self.acp_mode = Some(mode.to_owned());
            self.sources.insert("acp_mode".to_owned(), source.clone());
        }
        for (name, value) in preset.env {
            if !self.env.contains_key(*name) {
                self.env.insert((*name).to_owned(), (*value).to_owned());
                self.sources.insert(format!("env.{name}"), source.clone());
            }
        }
    }

    pub(super) fn resolve_paths(&mut self, root: &Path) {
        let paths = [&mut self.workdir, &mut self.tls_cert, &mut self.tls_key, &mut self.openai.api_key_file];
        for path in paths.into_iter().flatten() {
            *path = root.join(&*path);
        }
    }

    /// Finds what cannot work, and says what would.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.adapter.family() {
            AdapterFamily::Exec if self.command.is_empty() => {
                return Err(
                    "the exec adapter needs a command, such as command = [\"my-agent\", \"--quiet\"]"
                        .to_owned(),
                );
            }
            AdapterFamily::Acp if self.command.is_empty() && self.adapter.preset().is_none() => {
                return Err("the acp adapter needs the command of an agent that speaks ACP, such as \
                            command = [\"my-agent\", \"--acp\"]; or name one that is known: adapter = \"claude\", \
                            \"codex\", \"gemini\", \"opencode\", \"qwen\" or \"goose\""
                    .to_owned());
            }
            // Left unsaid it would run the echo, and the command never.
            AdapterFamily::Echo if !self.adapter_configured && !self.command.is_empty() => {
                return Err(
                    "there is a command and no adapter that would run it: add adapter = \"exec\", or \"acp\" if it speaks \
                     that"
                        .to_owned(),
                );
            }
            AdapterFamily::OpenAi => self.openai.check()?,
            AdapterFamily::Echo | AdapterFamily::Exec | AdapterFamily::Acp => {}
        }
        if self.command.first().is_some_and(String::is_empty) {
            return Err("the command's first word is the program, and must not be empty".to_owned());
        }
        if let Some(name) = self.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(format!(
                "{name:?} in env is no name of a variable: it must not be empty, or hold '=' or NUL"
            ));
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err("tls_cert needs a tls_key beside it".to_owned()),
            (None, Some(_)) => return Err("tls_key needs a tls_cert beside it".to_owned()),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let limits = [("task_limit", self.task_limit), ("chat_limit", self.chat_limit)];
        let by_priority = self.priority_limits.values().map(|limit| ("priority_limits", *limit));
        if let Some((key, _)) = limits.into_iter().chain(by_priority).find(|(_, limit)| limit.is_zero()) {
            return Err(format!("{key} must be more than 0: nothing could run"));
        }
        if self.max_attempts == 0 {
            return Err("max_attempts must be 1 or more: nothing could run".to_owned());
        }
        if self.max_output == 0 {
            return Err("max_output must be more than 0: there could be no response".to_owned());
        }
        Ok(())
    }
}

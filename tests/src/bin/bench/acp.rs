//! What hive-agent adds to an agent that speaks the Agent Client Protocol: the same turn through it and through a client
//! that does nothing else, in turn.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Bench;
use crate::bot::Nest;
use crate::chat::{Answered, ask, connected, prompt};
use crate::process;
use crate::report::Figure;

/// The agent of the suite, and a prompt that it answers with sixty chunks in a second and a half.
const FAKE: (&str, &str) = ("fake_agent", "count");
/// What hive-agent may add to a turn, in milliseconds, where 2 % of the turn are less.
const ADDED: f64 = 5.0;

/// Measures this section.
pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let fake = bench.programs.own.with_file_name(FAKE.0);
    let (command, words) = match &bench.agent {
        Some(agent) => (agent.command.clone(), agent.words.as_str()),
        None => (vec![fake.to_string_lossy().into_owned()], FAKE.1),
    };
    let nest = Nest::new(bench, &format!("adapter = \"acp\"\ncommand = {command:?}"))?;
    let hive = nest.start().await?;
    let mut chat = connected(&hive.client).await?;
    let mut direct = Direct::start(&command, &bench.dir).await?;
    let (mut through, mut bare) = (Vec::new(), Vec::new());
    let n = bench.times(20);
    // The first turns warm up what is cold.
    for round in 0..=n {
        let session = Some(format!("S-{round}"));
        let ours = ask(&mut chat, hive_shared::chat::Prompt { message: words.into(), session, ..prompt() });
        let (ours, its) = (ours.await?, direct.ask(words).await?);
        if round > 0 {
            through.push(ours);
            bare.push(its);
        }
    }
    let memory = process::resident_mb(hive.pid())?;
    let first = |of: &[Answered]| of.iter().map(|it| it.first).collect::<Vec<_>>();
    let whole = |of: &[Answered]| of.iter().map(|it| it.complete).collect::<Vec<_>>();
    let compared = |what: &str, ours: Vec<Duration>, its: Vec<Duration>| {
        let its = Figure::times(format!("ACP turn, direct client: {what}"), its);
        let allowed = (its.median() * 1.02).max(its.median() + ADDED);
        [its, Figure::times(format!("ACP turn through hive-agent: {what}"), ours).at_most(allowed)]
    };
    let mut figures: Vec<Figure> = compared("first chunk", first(&through), first(&bare)).into();
    figures.extend(compared("whole turn", whole(&through), whole(&bare)));
    figures.push(Figure::value("resident memory, driving an ACP agent", "MB", 1, memory).at_most(30.0));
    Ok(figures)
}

/// An agent of a client that only measures. Killed when dropped.
struct Direct {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    dir: TempDir,
    last: u64,
}

impl Direct {
    async fn start(command: &[String], dir: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("hive-bench-").tempdir_in(dir)?;
        let (program, arguments) = command.split_first().context("the agent's command is empty")?;
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let stdin = child.stdin.take().context("there is a pipe")?;
        let lines = BufReader::new(child.stdout.take().context("there is a pipe")?).lines();
        let mut direct = Self { _child: child, stdin, lines, dir, last: 0 };
        direct.call("initialize", &json!({"protocolVersion": 1, "clientCapabilities": {}}), |_| ()).await?;
        Ok(direct)
    }

    /// One prompt in a session of its own.
    async fn ask(&mut self, words: &str) -> anyhow::Result<Answered> {
        let began = Instant::now();
        let new = json!({"cwd": self.dir.path(), "mcpServers": []});
        let session = self.call("session/new", &new, |_| ()).await?["sessionId"].take();
        let params = json!({"sessionId": session, "prompt": [{"type": "text", "text": words}]});
        let mut first = None;
        self.call("session/prompt", &params, |update| {
            if update["params"]["update"]["sessionUpdate"] == "agent_message_chunk" {
                first.get_or_insert_with(|| began.elapsed());
            }
        })
        .await?;
        let first = first.context("the agent said nothing")?;
        Ok(Answered { first, complete: began.elapsed() })
    }

    /// Calls a method; gives its result, and shows what comes before.
    async fn call(
        &mut self,
        method: &str,
        params: &Value,
        mut meanwhile: impl FnMut(&Value),
    ) -> anyhow::Result<Value> {
        self.last += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.stdin.write_all(format!("{request}\n").as_bytes()).await?;
        while let Some(line) = self.lines.next_line().await? {
            let Ok(mut message) = serde_json::from_str::<Value>(&line) else { continue };
            if message["id"] != self.last || message.get("method").is_some() {
                meanwhile(&message);
            } else if message.get("error").is_some() {
                bail!("{method}: {}", message["error"]);
            } else {
                return Ok(message["result"].take());
            }
        }
        bail!("the agent ended at {method}")
    }
}

//! Measures the real binaries, each in a hive of its own, and prints what came out beside the goals.
//!
//! It wants `hive-agent` and `hivectl` beside itself, as `cargo build --release --workspace` puts them, and a machine
//! that has nothing else to do. Where `tsp` (task-spooler) or `pueue` are on the `PATH`, the same is measured of them.

mod acp;
mod bare;
mod bot;
mod bounds;
mod chat;
mod clock;
mod commands;
mod files;
mod followers;
mod idle;
mod long;
mod peers;
mod process;
mod report;
mod start;
mod stream;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use bot::Programs;
use report::Figure;

/// Measure hive-agent and hivectl, and print each figure beside its goal.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Args {
    /// Measure less often: for a first look.
    #[arg(long)]
    quick: bool,

    /// Print JSON, one array.
    #[arg(long)]
    json: bool,

    /// Measure only this; may be given several times.
    #[arg(long, value_name = "SECTION")]
    only: Vec<Section>,

    /// Where the temporary hives are made; the disk below it decides what a sync costs.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,

    /// The agent that the section `acp` drives, in place of the suite's own: a command, split at its spaces.
    #[arg(long, value_name = "COMMAND", requires = "words")]
    agent: Option<String>,

    /// What it is asked.
    #[arg(long, value_name = "TEXT", requires = "agent")]
    words: Option<String>,
}

/// An agent, and what it is asked.
#[derive(Debug)]
pub(crate) struct AgentCommand {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// The prompt.
    pub(crate) words: String,
}

/// What is measured together, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// What the disk and the kernel cost, whatever is made of them.
    Bounds,
    /// File tasks: until they start, and how many get done.
    Files,
    /// Chat: the first words of an answer.
    Chat,
    /// An agent that speaks ACP, with hive-agent before it and without.
    Acp,
    /// What an agent says without end, on its way to a client.
    Stream,
    /// Many who follow the timeline at once.
    Followers,
    /// The commands of hivectl.
    Commands,
    /// What an idle bot costs.
    Idle,
    /// Starting and stopping.
    Start,
    /// A timeline of a million entries beside one of a thousand.
    Long,
    /// Other queues, the same way.
    Peers,
}

/// What all measurements need to know.
#[derive(Debug)]
pub(crate) struct Bench {
    quick: bool,
    /// Where temporary directories go.
    pub(crate) dir: PathBuf,
    /// What is measured.
    pub(crate) programs: Programs,
    /// What is driven over ACP, if not the suite's own agent.
    pub(crate) agent: Option<AgentCommand>,
}

impl Bench {
    /// How often to measure: `usual` times, or a tenth of that if it is to be quick.
    pub(crate) fn times(&self, usual: usize) -> usize {
        if self.quick { usual.div_ceil(10) } else { usual }
    }
}

fn main() -> ExitCode {
    // What it measures is in part itself, in other roles.
    let role = clock::as_stamp().or_else(stream::as_source).or_else(bare::as_server);
    if let Some(result) = role {
        return exit(result);
    }
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    exit(runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            tokio::select! {
                done = run(&args) => done,
                // What is dropped here ends its processes and removes its directories.
                () = told_to_end() => anyhow::bail!("interrupted"),
            }
        })
    }))
}

/// Ctrl-C, or a polite kill.
async fn told_to_end() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn exit(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let agent = args.agent.clone().zip(args.words.clone()).map(|(command, words)| AgentCommand {
        command: command.split_whitespace().map(str::to_owned).collect(),
        words,
    });
    let bench = Bench { quick: args.quick, dir: args.dir.clone(), programs: Programs::beside_this()?, agent };
    if cfg!(debug_assertions) {
        note("this is a debug build: build with --release for figures that mean something");
    }
    note(&process::machine()?);
    note(&format!("load average {}", process::load_average()?));
    let mut figures = Vec::new();
    let measured = measure_all(args, &bench, &mut figures).await;
    note(&format!("load average {}", process::load_average()?));
    // What was measured before a failure is worth seeing.
    let text = if args.json { report::json(&figures)? } else { report::table(&figures) };
    io::stdout().write_all(text.as_bytes())?;
    measured
}

async fn measure_all(args: &Args, bench: &Bench, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let wanted = |section: &&Section| args.only.is_empty() || args.only.contains(section);
    for section in Section::value_variants().iter().filter(wanted) {
        let name = format!("{section:?}").to_lowercase();
        note(&format!("measuring {name} …"));
        figures.extend(measure(*section, bench).await.with_context(|| format!("measuring {name}"))?);
    }
    Ok(())
}

async fn measure(section: Section, bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    match section {
        Section::Bounds => bounds::measure(bench),
        Section::Files => files::measure(bench).await,
        Section::Chat => chat::measure(bench).await,
        Section::Acp => acp::measure(bench).await,
        Section::Stream => stream::measure(bench).await,
        Section::Followers => followers::measure(bench).await,
        Section::Commands => commands::measure(bench).await,
        Section::Idle => idle::measure(bench).await,
        Section::Start => start::measure(bench).await,
        Section::Long => long::measure(bench).await,
        Section::Peers => peers::measure(bench).await,
    }
}

/// Progress, for who watches.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

//! Loads a bot as nobody does on a usual day, and prints what it took.

use std::io::{self, Write as _};

use clap::Parser;
use hive_tests::load::{dropped_at_once, heard_by_a_crowd};

/// Drop many files at once, and have many listen; see that nothing is lost, and print times and memory.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Args {
    /// So many task files are dropped at once.
    #[arg(long, default_value_t = 100_000)]
    files: usize,

    /// So many follow the timeline.
    #[arg(long, default_value_t = 1_000)]
    followers: usize,

    /// So many chat.
    #[arg(long, default_value_t = 200)]
    chats: usize,

    /// So many tasks run while they listen.
    #[arg(long, default_value_t = 1_000)]
    events: usize,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut out = io::stdout();
    let dropped = dropped_at_once(args.files).await;
    let answers = &dropped.answers;
    let at = |share: usize| answers.get(answers.len() * share / 100).or(answers.last());
    writeln!(
        out,
        "{} files in {:.1?}, {:.1?} each; {:.1} MB at the most; {} prompts meanwhile, answered in {:.1?} \
         (median), {:.1?} (99 %), {:.1?} (longest); {} were noticed before earlier ones",
        args.files,
        dropped.took,
        dropped.took / u32::try_from(args.files).unwrap_or(u32::MAX).max(1),
        dropped.peak_memory_mb,
        answers.len(),
        at(50).copied().unwrap_or_default(),
        at(99).copied().unwrap_or_default(),
        answers.last().copied().unwrap_or_default(),
        dropped.overtook,
    )?;
    let heard = heard_by_a_crowd(args.followers, args.chats, args.events).await;
    writeln!(
        out,
        "{} followers and {} chats, a third of each stalled: {} tasks in {:.1?}; {:.1} MB at the most",
        args.followers, args.chats, args.events, heard.took, heard.peak_memory_mb
    )
}

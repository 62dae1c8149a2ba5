//! Kills bots under load for as long as one likes, and holds each of them against what it owes.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use clap::Parser;
use hive_tests::torture::{Toll, Torture, Worker};

/// Kill bots under load, again and again, and see that nothing is lost. A fault ends it, and tells the seed.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Args {
    /// How often to kill in all.
    #[arg(long, default_value_t = 1_000)]
    kills: u32,

    /// How often to kill one bot before another one has its turn.
    #[arg(long, default_value_t = 40)]
    each: u32,

    /// The first bot's seed; the next one has the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// End when so many minutes are over.
    #[arg(long)]
    minutes: Option<u64>,
}

/// Whose turn it is, again and again.
const WORKERS: [Worker; 4] = [Worker::Exec, Worker::Echo, Worker::Exec, Worker::Acp];

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let begun = Instant::now();
    let is_over = || args.minutes.is_some_and(|minutes| begun.elapsed() >= Duration::from_secs(60 * minutes));
    let mut sum = Toll::default();
    for (seed, worker) in (args.seed..).zip(WORKERS.into_iter().cycle()) {
        let kills = args.each.min(args.kills - sum.kills);
        if kills == 0 || is_over() {
            break;
        }
        writeln!(io::stderr(), "seed {seed}: {kills} kills with {worker:?}")?;
        sum += Torture { seed, kills, worker }.run().await;
        writeln!(io::stdout(), "{sum:?} in {:.0?}", begun.elapsed())?;
    }
    Ok(())
}

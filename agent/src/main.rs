//! `hive-agent`: see the library.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    hive_agent::daemon::main(&hive_agent::cli::Args::parse())
}

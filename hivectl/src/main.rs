//! `hivectl`, the scrum master's control of a hive.

use std::process::ExitCode;

fn main() -> ExitCode {
    hivectl::main(std::env::args_os())
}

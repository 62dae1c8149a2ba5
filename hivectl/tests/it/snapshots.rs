//! What hivectl says, word for word: every page of help, the errors with their hints, and tables of a hive whose bots
//! are down. `TRYCMD=overwrite cargo test --workspace --test it snapshots` writes them anew; read the difference.

use std::path::Path;

use clap::CommandFactory;
use hivectl::cli::Cli;

#[test]
fn what_is_said_is_as_recorded() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("hivectl", Path::new(env!("CARGO_BIN_EXE_hivectl")));
    // Nothing of the environment that runs this is to be seen; an empty variable counts as none.
    for name in ["HIVE_DIR", "HIVE_URL", "HIVE_TOKEN", "HIVE_CA", "HIVECTL_COMPLETE", "NO_COLOR"] {
        cases.env(name, "");
    }
    cases.env("COLUMNS", "100").env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env("USER", "dana");
    cases.case("tests/cmd/help/*.trycmd").case("tests/cmd/*.trycmd");
}

#[test]
fn every_command_has_its_help_recorded() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cmd/help/{name}.trycmd"));
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            recorded.starts_with(&format!("```console\n$ hivectl help {name}\n")),
            "{} is to begin with the command 'hivectl help {name}' in a block of console; then run with \
             TRYCMD=overwrite",
            path.display()
        );
    }
}

//! `hivectl chat BOT-002`, which panics as soon as it is to show the word that its first argument is.

use std::io::{self, Write};

use hivectl::cli::Global;
use hivectl::commands::chat::{self, Args};
use hivectl::fleet::Fleet;
use hivectl::interrupt::Interrupts;
use hivectl::output::{Options, Printer};

/// The terminal, up to the word.
struct Trap {
    terminal: io::Stdout,
    word: Vec<u8>,
}

impl Write for Trap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!bytes.windows(self.word.len()).any(|part| part == self.word), "the trap is sprung");
        self.terminal.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.terminal.flush()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let word = std::env::args().nth(1).unwrap_or_default().into_bytes();
    anyhow::ensure!(!word.is_empty(), "a word is missing");
    let trap = Trap { terminal: io::stdout(), word };
    let mut printer = Printer::to(&Options::default(), Box::new(trap), Box::new(io::stderr()), true);
    let fleet = Fleet::find(&Global::default())?;
    let args = Args { bot: hive_tests::BOT.parse()?, session: None, new: false };
    let _exit = chat::run(args, &fleet, &mut printer, &mut Interrupts::listen()?).await?;
    Ok(())
}

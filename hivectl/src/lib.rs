//! The scrum master's control of a hive (SPEC 10): for people tables, progress and a chat prompt, for scripts JSON and
//! exit statuses.
//!
//! A command is one file in [`commands`]: its arguments and what it does. It finds bots through the [`fleet`], says
//! everything through the [`output::Printer`], and ends with an [`error::Exit`] or an [`error::Failure`].

pub mod cli;
pub mod commands;
pub mod completing;
pub mod error;
pub mod files;
pub mod fleet;
pub mod help;
pub mod input;
pub mod interrupt;
pub mod local;
pub mod output;
pub mod waiting;

use std::ffi::OsString;
use std::process::ExitCode;

use cli::{Cli, Command};
use error::{Exit, Failure};
use fleet::Fleet;
use interrupt::Interrupts;
use output::Printer;

/// Runs one command line; the result is the process's exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    let mut plain = Printer::plain();
    if completing::answer(&args, &mut plain) {
        return Exit::Done.into();
    }
    let cli = match Cli::read(&args) {
        Ok(cli) => cli,
        Err(error) => return cli::explain(&error, &args, &mut plain).into(),
    };
    let mut out = Printer::new(&cli.global.output_options());
    // This one needs neither hive nor bot, and is read by each shell that starts.
    if let Command::Completions(args) = &cli.command {
        let ended = commands::completions::run(args, &mut out).and_then(|exit| out.finish().map(|()| exit));
        return ended.unwrap_or_else(|failure| out.failure(&failure)).into();
    }
    // One thread is enough for a few connections, and costs nothing to start.
    let exit = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let ended = runtime.block_on(run(cli, &mut out));
            // A name that is still being resolved must not hold up the end.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Failure::new(Exit::Failed, format!("the runtime does not start: {error}"))),
    };
    let exit = exit.and_then(|exit| out.finish().map(|()| exit));
    exit.unwrap_or_else(|failure| out.failure(&failure)).into()
}

async fn run(cli: Cli, out: &mut Printer) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    // These two cancel what they asked before they leave, and hear the signals themselves.
    match cli.command {
        Command::Ask(args) => {
            return commands::ask::run(args, &Fleet::find(&cli.global)?, out, &mut interrupts).await;
        }
        Command::Chat(args) => {
            return commands::chat::run(args, &Fleet::find(&cli.global)?, out, &mut interrupts).await;
        }
        command => {
            let parting = parting(&command);
            // These end by nothing else, and may have nothing to print for long.
            let goes_on = matches!(&command, Command::Timeline(args) if args.follow)
                || matches!(&command, Command::Status(args) if args.watch)
                || matches!(&command, Command::Logs(args) if args.follow);
            tokio::select! {
                ended = dispatch(command, &cli.global, out) => ended,
                () = interrupts.next() => {
                    out.part();
                    if let Some(words) = parting {
                        out.notice(words);
                    }
                    Ok(Exit::Interrupted)
                }
                () = interrupt::reader_gone(), if goes_on => Ok(Exit::Done),
            }
        }
    }
}

/// What goes on when somebody no longer waits for it, in words.
fn parting(command: &Command) -> Option<&'static str> {
    if matches!(command, Command::Wait(_)) || matches!(command, Command::Submit(args) if args.waits()) {
        Some("no longer waiting; the work goes on")
    } else if matches!(command, Command::Up(_)) {
        Some("no longer waiting; a bot that was started goes on starting")
    } else if matches!(command, Command::Down(_)) {
        Some("no longer waiting; a bot that was told to stop does so when its turn is over")
    } else {
        None
    }
}

async fn dispatch(command: Command, global: &cli::Global, out: &mut Printer) -> Result<Exit, Failure> {
    let fleet = || Fleet::find(global);
    match command {
        Command::Init(args) => commands::init::run(&args, global, out),
        Command::Completions(_) => unreachable!("it ended before"),
        Command::Submit(args) => commands::submit::run(args, &fleet()?, out).await,
        Command::Wait(args) => commands::wait::run(args, &fleet()?, out).await,
        Command::Tasks(args) => commands::tasks::run(args, &fleet()?, out).await,
        Command::Show(args) => commands::show::run(&args, &fleet()?, out).await,
        Command::Response(args) => commands::response::run(&args, &fleet()?, out).await,
        Command::Cancel(args) => commands::cancel::run(&args, &fleet()?, out).await,
        Command::Retry(args) => commands::retry::run(&args, &fleet()?, out).await,
        Command::Prioritize(args) => commands::prioritize::run(&args, &fleet()?, out).await,
        Command::Pause(args) => commands::pause::run(args, &fleet()?, out).await,
        Command::Resume(args) => commands::resume::run(&args, &fleet()?, out).await,
        Command::Interrupt(args) => commands::interrupt::run(&args, &fleet()?, out).await,
        Command::Stop(args) => commands::stop::run(&args, &fleet()?, out).await,
        Command::Status(args) => commands::status::run(args, &fleet()?, out).await,
        Command::Timeline(args) => commands::timeline::run(args, &fleet()?, out).await,
        Command::Approvals(args) => commands::approvals::run(args, &fleet()?, out).await,
        Command::Approve(args) => commands::approve::run(&args, &fleet()?, out).await,
        Command::Deny(args) => commands::deny::run(&args, &fleet()?, out).await,
        Command::Up(args) => commands::up::run(args, &fleet()?, out).await,
        Command::Down(args) => commands::down::run(args, &fleet()?, out).await,
        Command::Logs(args) => commands::logs::run(args, &fleet()?, out).await,
        Command::Doctor(args) => commands::doctor::run(args, &fleet()?, out).await,
        Command::Ask(_) | Command::Chat(_) => unreachable!("these two hear signals themselves"),
    }
}

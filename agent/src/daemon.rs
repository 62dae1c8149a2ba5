//! From the command line to a bot that may start, which then has one life, or several if its ledger is damaged.

mod life;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hive_shared::paths::Hive;
use hive_shared::settings::{self, BotSettings, Settings};
use hive_shared::trust;

use crate::approval::Policy;
use crate::claim::lock;
use crate::cli::Args;
use crate::http::Tls;
use crate::inherited;
use crate::ledger;
use crate::logs::{self, Verbosity};
use crate::signals::Signals;
use life::Bot;

/// How often a damaged database is set aside, each after less than [`A_WHILE`], before that is given up.
const MOST_DAMAGES: usize = 3;
/// A life that was longer was a life.
const A_WHILE: Duration = Duration::from_secs(600);

/// Runs the program. Errors are printed here, once, with all that led to them.
pub fn main(args: &Args) -> ExitCode {
    inherited::close_all();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr is no reason to panic.
            let _ = writeln!(io::stderr(), "hive-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    if args.demo {
        return crate::demo::run();
    }
    if args.detached {
        // It fails for the leader of a group alone, which somebody started to be left alone already.
        let _ = nix::unistd::setsid();
    }
    let Some(bot) = args.bot.clone() else { bail!("which bot? Name one, such as BOT-002") };
    let hive = Hive::find(args.hive.as_deref())?;
    trust::check_settings_file(&hive.settings())?;
    let all_settings = Settings::load(&hive)?;
    let settings = all_settings.bot(&bot, settings::process_environment(), flags(args)?)?;
    let policy = Policy::new(&settings)?;
    let tls = encryption(&settings, args.insecure);
    let program = check_program(&settings, &hive);
    if args.check {
        io::stdout().write_all(settings.to_toml().as_bytes())?;
        return tls.and(program);
    }
    if hive.stop_file(&bot).symlink_metadata().is_ok() {
        let path = hive.stop_file(&bot);
        writeln!(io::stderr(), "{bot} is told to stop by {}; remove that file to start it", path.display())?;
        return Ok(());
    }
    let tls = tls?;
    program?;
    hive.create(Some(&bot)).with_context(|| unwritable(&hive))?;
    let warnings = trust::check_hive(&hive, &bot)?;
    let _lock = lock(&hive, &bot)?;
    // Somebody runs the bot from here on, and where a life before this one listened a stranger may do so by now.
    let _ = std::fs::remove_file(hive.bot_record(&bot));
    let _logs = logs::start(&hive, &bot, verbosity(args))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if !settings.listen.ip().is_loopback() && tls.is_none() {
        tracing::warn!(listen = %settings.listen, "listening beyond this machine without encryption, as asked");
    }
    let known_bots = all_settings.bots();
    let bot = Bot { hive, id: bot, settings, policy, tls, signals: Signals::listen()?, known_bots };
    let (mut damage, mut damages) = (None, 0);
    loop {
        let begun = Instant::now();
        match bot.live(damage.take()) {
            Err(error) if ledger::is_damage(&error) => {
                damages = if begun.elapsed() < A_WHILE { damages + 1 } else { 1 };
                if damages > MOST_DAMAGES {
                    bail!(
                        "the database was damaged {damages} times in a short time: is the disk sound? ({error:#})"
                    );
                }
                damage = Some(ledger::abandon(&bot.hive, &bot.id, &error)?);
            }
            ended => return ended,
        }
    }
}

/// Whether there is what is to do the work, and where. What is gone later is waited for.
fn check_program(settings: &BotSettings, hive: &Hive) -> anyhow::Result<()> {
    let workdir = settings.workdir.as_deref().unwrap_or(hive.root());
    if !workdir.is_dir() {
        bail!("the working directory {} is not there; see workdir in the settings", workdir.display());
    }
    if let Err(error) = settings.program(workdir, std::env::var_os("PATH")) {
        bail!(
            "the command of adapter '{}' cannot be started: {error}; {}",
            settings.adapter,
            settings.remedy()
        );
    }
    Ok(())
}

fn unwritable(hive: &Hive) -> String {
    format!("the hive at {} cannot be written", hive.root().display())
}

fn verbosity(args: &Args) -> Verbosity {
    match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::Trace,
    }
}

/// The flags as a layer of settings.
fn flags(args: &Args) -> anyhow::Result<toml::Table> {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: String| table.insert(key.to_owned(), toml::Value::String(value));
    if let Some(mode) = args.mode {
        set("mode", mode.to_string());
    }
    if let Some(adapter) = args.adapter {
        set("adapter", adapter.to_string());
    }
    if let Some(listen) = &args.listen {
        set("listen", listen.clone());
    }
    if let Some(workdir) = &args.workdir {
        // A path on the command line starts where the user stands.
        let workdir = std::path::absolute(workdir)?;
        set("workdir", workdir.to_str().context("the path of --workdir is not UTF-8")?.to_owned());
    }
    Ok(table)
}

/// What encrypts connections, if the settings say so. Beyond loopback a token must not travel in the clear.
fn encryption(settings: &BotSettings, insecure: bool) -> anyhow::Result<Option<Arc<Tls>>> {
    if let (Some(certificate), Some(key)) = (&settings.tls_cert, &settings.tls_key) {
        let tls =
            Tls::read(certificate, key).context("connections cannot be encrypted (tls_cert, tls_key)")?;
        return Ok(Some(Arc::new(tls)));
    }
    if settings.listen.ip().is_loopback() || insecure {
        return Ok(None);
    }
    bail!(
        "{} is beyond this machine, and the token would travel unencrypted: set tls_cert and tls_key, which \
         'openssl req -x509 -newkey ed25519 -nodes -days 365 -subj /CN=hive -addext subjectAltName=DNS:HOST \
         -out cert.pem -keyout key.pem' makes for a HOST; or listen on 127.0.0.1, and let ssh or a proxy carry it; or \
         say --insecure",
        settings.listen
    )
}

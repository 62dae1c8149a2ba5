//! What the bot did, for those who look later and for those who watch (SPEC 2): `BOT-002-activity.jsonl`, one JSON
//! object a line, `BOT-002-errors.jsonl` with the errors alone, and a brief account on stderr.
//!
//! A log that cannot be written never stops or harms the bot. Tokens are never logged: ours are not given to
//! `tracing`, and other crates, which may tell of the requests that they handle, are heard from warnings on only.

mod rotating;

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::Context;
use hive_shared::ids::BotId;
use hive_shared::paths::{Hive, ROTATED_LOGS};
use hive_shared::time::Stamp;
use tracing::{Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use self::rotating::RotatingFile;

/// A file of the log is rotated away before it would grow beyond this many bytes.
const MAX_BYTES: u64 = 10_000_000;

/// How much is told on stderr. The files always have at least [`Verbosity::Normal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// What happens.
    #[default]
    Normal,
    /// Also how it comes about.
    Verbose,
    /// Everything.
    Trace,
}

impl Verbosity {
    fn level(self) -> LevelFilter {
        match self {
            Self::Quiet => LevelFilter::ERROR,
            Self::Normal => LevelFilter::INFO,
            Self::Verbose => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }

    /// Ours from this level on, and the warnings of others.
    fn filter(self) -> Targets {
        let level = self.level();
        Targets::new()
            .with_target("hive_agent", level)
            .with_target("hive_shared", level)
            .with_default(level.min(LevelFilter::WARN))
    }
}

/// Keeps the log; when it is dropped, what was logged is made durable.
#[derive(Debug)]
#[must_use = "what is logged is made durable when this is dropped"]
pub struct LogGuard {
    files: Files,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.files.activity.sync();
        self.files.errors.sync();
    }
}

/// Sends all that this process logs to the two files of `bot` and to stderr, from now on.
///
/// Fails if something else in this process has done the like before; files that cannot be opened are no failure, are
/// told of on stderr, and are tried again at each line.
pub fn start(hive: &Hive, bot: &BotId, verbosity: Verbosity) -> anyhow::Result<LogGuard> {
    let files = Files::of(hive, bot);
    Registry::default()
        .with(files.layer().with_filter(verbosity.max(Verbosity::Normal).filter()))
        .with(stderr_layer().with_filter(verbosity.filter()))
        .try_init()
        .context("the log cannot be started")?;
    if let Err(error) = files.activity.open().and_then(|()| files.errors.open()) {
        tracing::warn!(%error, directory = %hive.logs().display(), "the log files cannot be opened; trying on");
    }
    Ok(LogGuard { files })
}

/// The two files of a bot's log.
#[derive(Debug, Clone)]
struct Files {
    activity: Arc<RotatingFile>,
    errors: Arc<RotatingFile>,
}

impl Files {
    fn of(hive: &Hive, bot: &BotId) -> Self {
        let file = |path| Arc::new(RotatingFile::new(path, MAX_BYTES, ROTATED_LOGS));
        Self { activity: file(hive.activity_log(bot)), errors: file(hive.error_log(bot)) }
    }

    /// Writes each event once as JSON, and errors to both files.
    fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let errors = Arc::clone(&self.errors).with_max_level(Level::ERROR);
        tracing_subscriber::fmt::layer()
            .json()
            .with_span_list(false)
            .with_timer(StampTimer)
            .with_writer(Arc::clone(&self.activity).and(errors))
            // It would go to stderr by a macro that panics when stderr is closed.
            .log_internal_errors(false)
    }
}

fn stderr_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt::layer()
        .compact()
        .with_target(false)
        .with_timer(ClockTimer)
        .with_ansi(io::stderr().is_terminal() && !no_color)
        .with_writer(io::stderr)
        .log_internal_errors(false)
}

/// The time as everywhere in a hive.
struct StampTimer;

impl FormatTime for StampTimer {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", Stamp::now())
    }
}

/// The time as on the wall, for those who watch.
struct ClockTimer;

impl FormatTime for ClockTimer {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", jiff::Zoned::now().strftime("%H:%M:%S"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracing::subscriber::with_default;

    use super::*;

    fn lines(path: &std::path::Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[test]
    fn each_event_is_a_json_object_a_line_and_errors_are_in_both_files() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path()), BotId::parse("BOT-002").unwrap());
        hive.create(Some(&bot)).unwrap();
        let files = Files::of(&hive, &bot);
        let subscriber = Registry::default().with(files.layer().with_filter(Verbosity::Normal.filter()));
        with_default(subscriber, || {
            let _span = tracing::info_span!("item", id = "TASK-1").entered();
            tracing::info!(task = "TASK-1", n = 3, "started \"it\"\nand more \u{1b}[31m");
            tracing::debug!("too much");
            tracing::warn!(target: "hyper::server", "another's warning");
            tracing::info!(target: "hyper::server", "authorization: secret");
            tracing::error!(error = %io::Error::other("disk"), "it failed");
        });

        let activity = lines(&hive.activity_log(&bot));
        let messages: Vec<_> =
            activity.iter().map(|line| line["fields"]["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["started \"it\"\nand more \u{1b}[31m", "another's warning", "it failed"]);
        let first = &activity[0];
        assert_eq!((&first["level"], &first["fields"]["n"]), (&"INFO".into(), &3.into()));
        assert_eq!(first["span"]["id"], "TASK-1");
        assert!(first["timestamp"].as_str().unwrap().parse::<Stamp>().is_ok());
        assert!(first["target"].as_str().unwrap().starts_with("hive_agent"));
        assert_eq!(lines(&hive.error_log(&bot)), activity[2..]);
    }

    #[test]
    fn quiet_is_errors_alone_of_others_too() {
        let filter = Verbosity::Quiet.filter();
        assert!(!filter.would_enable("hyper", &Level::WARN));
        assert!(filter.would_enable("hyper", &Level::ERROR));
        assert!(!Verbosity::Trace.filter().would_enable("hyper", &Level::INFO));
        assert!(Verbosity::Trace.filter().would_enable("hive_agent::driver", &Level::TRACE));
    }
}

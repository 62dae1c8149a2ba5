//! GET `/metrics`: what an operator watches and alerts on, in the text format of Prometheus (0.0.4).

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hive_shared::api::{BotState, BotStatus, HealthLevel};
use hive_shared::time::Stamp;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike as _;

use super::problem::Problem;
use super::{Service, Shared};
use crate::coordinator::PauseCause;
use crate::store::{Ended, Reader, log_of};
use crate::tally::{BUCKETS, Histogram};

/// The version of the text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let status = shared.status_now()?;
    let (ended, entries, last_seq) = shared.read(Reader::totals).await?;
    let mut page = Page::default();
    page.bot(&shared, &status);
    page.work(&status, &ended);
    page.chat(&shared, &status);
    page.server(&shared);
    page.ledger(&shared, entries, last_seq);
    page.process();
    Ok(([(CONTENT_TYPE, FORMAT)], page.text).into_response())
}

/// What a metric is.
#[derive(Clone, Copy)]
enum Type {
    Gauge,
    Counter,
    Histogram,
}

/// The text as it grows.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn bot(&mut self, shared: &Service, status: &BotStatus) {
        let labels = [
            ("bot_id", shared.bot.as_str()),
            ("version", env!("CARGO_PKG_VERSION")),
            ("adapter", shared.adapter),
            ("mode", shared.mode.as_str()),
        ];
        self.metric(
            "hive_build_info",
            Type::Gauge,
            "The bot and the program that runs it.",
            [(&labels[..], 1)],
        );
        let all = [BotState::Idle, BotState::Working, BotState::Paused, BotState::Stopping];
        self.metric(
            "hive_state",
            Type::Gauge,
            "1 for the state that the bot is in.",
            all.map(|state| ([("state", state.as_str())], u8::from(state == status.state))),
        );
        let causes = PauseCause::ALL.map(PauseCause::as_str);
        self.metric(
            "hive_paused",
            Type::Gauge,
            "1 for each cause by which the bot is paused.",
            causes.map(|cause| ([("cause", cause)], u8::from(status.paused_by.iter().any(|by| by == cause)))),
        );
        let health = match status.health.status {
            HealthLevel::Healthy => 0,
            HealthLevel::Warning => 1,
            HealthLevel::Critical => 2,
        };
        self.single("hive_health", Type::Gauge, "0 healthy, 1 warning, 2 critical.", health);
        self.single(
            "hive_last_activity_timestamp_seconds",
            Type::Gauge,
            "When something last changed, in seconds since the Unix epoch.",
            seconds(status.last_activity),
        );
    }

    fn work(&mut self, status: &BotStatus, ended: &[Ended]) {
        let queue = &status.queue;
        let priorities = [("P0", queue.p0), ("P1", queue.p1), ("P2", queue.p2), ("P3", queue.p3)];
        self.metric(
            "hive_queued_tasks",
            Type::Gauge,
            "File tasks that wait and may run, by priority.",
            priorities.map(|(priority, tasks)| ([("priority", priority)], tasks)),
        );
        self.single("hive_blocked_tasks", Type::Gauge, "File tasks that wait for others.", queue.blocked);
        let suspended = u8::from(status.suspended.is_some());
        self.single("hive_suspended_tasks", Type::Gauge, "File tasks that gave way to chat.", suspended);
        let elapsed = status.current.as_ref().map_or(0.0, |current| current.elapsed_seconds);
        let help = "How long what holds the slot has held it; 0 if nothing does.";
        self.single("hive_turn_elapsed_seconds", Type::Gauge, help, elapsed);
        let help = "Requests for permission that wait for an answer.";
        self.single("hive_approvals_waiting", Type::Gauge, help, status.approvals);
        self.metric(
            "hive_items_ended_total",
            Type::Counter,
            "File tasks and prompts that ended, in all lives of the ledger.",
            ended
                .iter()
                .map(|it| ([("source", it.source.as_str()), ("status", it.status.as_str())], it.items)),
        );
    }

    fn chat(&mut self, shared: &Service, status: &BotStatus) {
        let tally = shared.hub.tally();
        self.single("hive_queued_prompts", Type::Gauge, "Prompts that wait.", status.queue.chat);
        self.single(
            "hive_chat_clients",
            Type::Gauge,
            "Chat clients that are connected.",
            status.chat_clients,
        );
        let help = "How often a task gave way to chat.";
        self.single("hive_preemptions_total", Type::Counter, help, tally.preemptions.load(Ordering::Relaxed));
        self.histogram(
            "hive_first_words_seconds",
            "From a prompt's arrival to the first words of its answer.",
            &tally.first_words,
        );
    }

    fn server(&mut self, shared: &Service) {
        let tally = shared.hub.tally();
        let followers = tally.followers.load(Ordering::Relaxed);
        self.single("hive_connections", Type::Gauge, "Connections that are open.", shared.connections.open());
        let help = "The most connections there may be; more wait.";
        self.single("hive_connections_max", Type::Gauge, help, shared.connections.most());
        self.single(
            "hive_followers",
            Type::Gauge,
            "Followers of the timeline that are connected.",
            followers,
        );
        self.metric(
            "hive_requests_refused_total",
            Type::Counter,
            "Requests that were turned away at the door, by code.",
            tally.refused().iter().map(|(code, requests)| ([("code", *code)], *requests)),
        );
    }

    fn ledger(&mut self, shared: &Service, entries: u64, last_seq: u64) {
        self.single("hive_timeline_entries", Type::Gauge, "Entries on the timeline.", entries);
        self.single("hive_timeline_changes_total", Type::Counter, "Changes of the timeline.", last_seq);
        let trouble = u8::from(shared.hub.disk().is_in_trouble());
        let help = "1 while the disk does not take what is to be written.";
        self.single("hive_disk_trouble", Type::Gauge, help, trouble);
        let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        let database = &shared.database;
        self.single("hive_database_bytes", Type::Gauge, "The size of the database.", size(database));
        let help = "The size of the database's write-ahead log.";
        self.single("hive_database_log_bytes", Type::Gauge, help, size(&log_of(database)));
    }

    /// What client libraries tell of any process, under their names.
    fn process(&mut self) {
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let spent = [usage.user_time(), usage.system_time()].map(|time| {
                Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0)).as_secs_f64()
            });
            let help = "Processor time that the daemon has used, without its agents.";
            self.single("process_cpu_seconds_total", Type::Counter, help, spent.iter().sum::<f64>());
        }
        if let Some(pages) = resident_pages() {
            let page =
                nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4_096);
            let bytes = pages * u64::try_from(page).unwrap_or(4_096);
            self.single("process_resident_memory_bytes", Type::Gauge, "Memory that is resident.", bytes);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // Less the one by which they are counted.
            let open = files.count().saturating_sub(1);
            self.single("process_open_fds", Type::Gauge, "Files that are open.", open);
        }
        if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
            self.single("process_max_fds", Type::Gauge, "The most files that may be open.", most);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let (upto, all, seconds) = histogram.cumulative();
        self.head(name, Type::Histogram, help);
        let bounds = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(upto.into_iter().chain([all])) {
            self.sample(&format!("{name}_bucket"), &[("le", &bound)], count);
        }
        self.sample(&format!("{name}_sum"), &[], seconds);
        self.sample(&format!("{name}_count"), &[], all);
    }

    fn single(&mut self, name: &str, of: Type, help: &str, value: impl Display) {
        self.metric(name, of, help, [([], value)]);
    }

    fn metric<'a, L, V>(
        &mut self,
        name: &str,
        of: Type,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) where
        L: AsRef<[(&'static str, &'a str)]>,
        V: Display,
    {
        self.head(name, of, help);
        for (labels, value) in samples {
            self.sample(name, labels.as_ref(), value);
        }
    }

    fn head(&mut self, name: &str, of: Type, help: &str) {
        let of = match of {
            Type::Gauge => "gauge",
            Type::Counter => "counter",
            Type::Histogram => "histogram",
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {of}");
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (index, (label, of)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let of = of.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{of}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

fn seconds(stamp: Stamp) -> f64 {
    stamp.timestamp().as_duration().as_secs_f64()
}

fn resident_pages() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    sizes.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_numbers_are_as_they_are() {
        let mut page = Page::default();
        page.metric("a", Type::Gauge, "Help.", [([("x", "b\\c\"d\ne"), ("y", "z")], 1.5)]);
        page.single("b", Type::Counter, "More.", 2);
        assert_eq!(
            page.text,
            "# HELP a Help.\n# TYPE a gauge\na{x=\"b\\\\c\\\"d\\ne\",y=\"z\"} 1.5\n\
             # HELP b More.\n# TYPE b counter\nb 2\n"
        );
    }
}

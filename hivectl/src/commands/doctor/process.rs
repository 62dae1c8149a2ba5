//! A bot's life: its process, its record, its token, and how it does.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use hive_shared::api::{BotRecord, BotStatus, HealthLevel};
use hive_shared::client::{Client, ClientError, FindError, read_record};
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::time::Stamp;
use nix::unistd::geteuid;

use super::finding::{Finding, unreadable};
use crate::error::{Failure, chain};
use crate::fleet::Fleet;
use crate::local;

/// A bot that takes longer to answer is as good as hung.
const PATIENCE: Duration = Duration::from_secs(3);
/// A bot on the same machine that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);
/// Errors that are older are history.
const RECENT: Duration = Duration::from_hours(1);

/// What can be told of it.
pub(super) struct Life {
    /// Whether a process has its lock.
    is_run: bool,
    record: Result<Option<BotRecord>, FindError>,
    /// What it answered.
    answer: Option<Answer>,
    /// Why it did not.
    trouble: Option<Failure>,
}

struct Answer {
    status: BotStatus,
    version: String,
    took: Duration,
}

impl Life {
    /// Looks at it.
    pub(super) async fn look(fleet: &Fleet, hive: &Hive, bot: &BotId) -> Self {
        let is_run = local::is_run(hive, bot);
        let record = read_record(hive, bot);
        let (answer, trouble) = match tokio::time::timeout(PATIENCE, ask(fleet, bot)).await {
            Ok(Ok(answer)) => (Some(answer), None),
            Ok(Err(error)) => (None, Some(error.into())),
            Err(_) => (None, Some(Failure::new(crate::error::Exit::Unreachable, "it does not answer"))),
        };
        Self { is_run, record, answer, trouble }
    }

    /// Whether a process runs it.
    pub(super) fn is_run(&self) -> bool {
        self.is_run || self.answer.is_some()
    }

    /// All that is to be said of it.
    pub(super) fn findings(&self, hive: &Hive, bot: &BotId) -> Vec<Finding> {
        let mut findings = vec![self.process(hive, bot)];
        findings.extend(token(&hive.token(bot)));
        if let Some(Answer { status, version, .. }) = &self.answer {
            findings.push(self::version(version, bot));
            findings.extend(health(status));
            let started = self.record.as_ref().ok().and_then(Option::as_ref).map(|record| record.started_at);
            findings.extend(started.map(|started| settings_in_force(&hive.settings(), started, bot)));
        }
        let since =
            Stamp::from_micros(Stamp::now().as_micros() - i64::try_from(RECENT.as_micros()).unwrap_or(0));
        findings.push(errors(super::super::logs::errors_since(hive, bot, since), &hive.logs(), bot));
        findings
    }

    fn process(&self, hive: &Hive, bot: &BotId) -> Finding {
        const CHECK: &str = "process";
        let record = match &self.record {
            Ok(record) => record.as_ref(),
            Err(error) => {
                let path = hive.bot_record(bot);
                return match error {
                    FindError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                        unreadable(CHECK, &path)
                    }
                    FindError::BadRecord { .. } => Finding::error(CHECK, chain(error))
                        .hint(format!("'rm {}', then 'hivectl up {bot}'", path.display())),
                    other => Finding::error(CHECK, chain(other)),
                };
            }
        };
        match (&self.answer, self.is_run, record) {
            (Some(answer), _, _) if answer.took > SLOW => Finding::warning(
                CHECK,
                format!("it is up, and took {} ms to answer", answer.took.as_millis()),
            )
            .hint("the machine is busy, or its disk is slow"),
            (Some(answer), _, record) => {
                let pid = record.map(|record| format!(" as process {}", record.pid)).unwrap_or_default();
                Finding::ok(
                    CHECK,
                    format!("it is up{pid} and answers within {} ms", answer.took.as_millis() + 1),
                )
            }
            (None, true, Some(record)) => {
                let why = self.trouble.as_ref().map(|trouble| trouble.message.clone()).unwrap_or_default();
                let pid = record.pid;
                Finding::error(CHECK, format!("process {pid} runs it and cannot be asked: {why}"))
                    .hint(format!("'kill {pid}', in need 'kill -9 {pid}', then 'hivectl up {bot}'"))
            }
            (None, true, None) => {
                Finding::warning(CHECK, "a process runs it that tells no address: it just starts, or hangs")
                    .hint(format!("look again; 'fuser -v {}' names the process", hive.lock(bot).display()))
            }
            (None, false, Some(record)) => stale(record, &host(), bot),
            (None, false, None) => Finding::ok(CHECK, "it is down"),
        }
    }
}

async fn ask(fleet: &Fleet, bot: &BotId) -> Result<Answer, ClientError> {
    let client = Client::open(fleet.locator(), bot).await?;
    let asked = Instant::now();
    let status = client.status().await?;
    let took = asked.elapsed();
    Ok(Answer { status, version: client.health().await?.version, took })
}

fn host() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// A record that was left behind by a process that did not end as it should.
fn stale(record: &BotRecord, here: &str, bot: &BotId) -> Finding {
    const CHECK: &str = "process";
    let pid = record.pid;
    if !here.is_empty() && record.host != here && record.host != "localhost" {
        let message = format!("its record is of process {pid} on {}, another machine", record.host);
        return Finding::warning(CHECK, message)
            .hint(format!("see there; if it is gone, 'hivectl up {bot}' starts it here"));
    }
    if local::is_agent(pid) {
        let message = format!(
            "its record is of process {pid}, which does not run it: a copied hive has the record of another"
        );
        return Finding::warning(CHECK, message)
            .hint(format!("'hivectl up {bot}' starts the one that is here"));
    }
    let what = match local::program_of(pid) {
        None => {
            format!("its record names process {pid}, which is gone: it was killed, or the machine went down")
        }
        Some(program) => format!("its record names process {pid}, which is {program} by now: it was killed"),
    };
    Finding::warning(CHECK, what).hint(format!("'hivectl up {bot}' starts it; no work is lost"))
}

/// A token must be secret.
fn token(path: &Path) -> Option<Finding> {
    const CHECK: &str = "token";
    let found = path.metadata().ok()?;
    let shown = path.display();
    if found.uid() != geteuid().as_raw() {
        return Some(
            Finding::error(CHECK, format!("{shown} belongs to user {}", found.uid()))
                .hint("run the bot and hivectl as one user"),
        );
    }
    if found.mode() & 0o077 != 0 {
        return Some(
            Finding::error(CHECK, format!("{shown} may be read by others, who could direct the bot"))
                .hint(format!("'rm {shown}' and start the bot anew: it makes another")),
        );
    }
    Some(Finding::ok(CHECK, "its token is yours alone"))
}

fn version(version: &str, bot: &BotId) -> Finding {
    const CHECK: &str = "version";
    let ours = env!("CARGO_PKG_VERSION");
    if version == ours {
        return Finding::ok(CHECK, format!("it is of version {version}"));
    }
    Finding::warning(CHECK, format!("it runs version {version}, hivectl is of {ours}"))
        .hint(format!("'hivectl down {bot} && hivectl up {bot}' starts the one that is installed"))
}

fn health(status: &BotStatus) -> Vec<Finding> {
    const CHECK: &str = "health";
    let mut findings = Vec::new();
    let itself: Vec<_> = status.paused_by.iter().map(String::as_str).filter(|by| *by != "user").collect();
    if !itself.is_empty() {
        findings.push(
            Finding::error(CHECK, format!("it paused itself: {}", itself.join(", "))).hint(format!(
                "'hivectl status {}' and 'hivectl logs {0} --errors' tell more",
                status.bot_id
            )),
        );
    }
    let reasons = status.health.reasons.join("; ");
    findings.push(match status.health.status {
        HealthLevel::Healthy => Finding::ok(CHECK, "it is healthy"),
        HealthLevel::Warning | HealthLevel::Critical => Finding::warning(CHECK, reasons)
            .hint(format!("'hivectl timeline {}' shows what happened last", status.bot_id)),
    });
    findings
}

/// A bot reads its settings when it starts.
fn settings_in_force(path: &Path, started: Stamp, bot: &BotId) -> Finding {
    const CHECK: &str = "restart";
    let changed = path.metadata().and_then(|found| found.modified()).map(Stamp::from);
    if changed.is_ok_and(|changed| changed > started) {
        return Finding::warning(CHECK, "hive.toml was changed after it started")
            .hint(format!("'hivectl down {bot} && hivectl up {bot}' takes the new settings"));
    }
    Finding::ok(CHECK, "it has the settings of hive.toml")
}

fn errors(found: std::io::Result<Vec<String>>, logs: &Path, bot: &BotId) -> Finding {
    const CHECK: &str = "errors";
    let hint = format!("'hivectl logs {bot} --errors' shows them");
    match found {
        Ok(errors) => match errors.as_slice() {
            [] => Finding::ok(CHECK, "it logged no error in the last hour"),
            [.., last] => {
                let count = if errors.len() == 1 {
                    "an error".to_owned()
                } else {
                    format!("{} errors", errors.len())
                };
                Finding::warning(CHECK, format!("it logged {count} in the last hour, the last: {last}"))
                    .hint(hint)
            }
        },
        Err(error) if error.kind() == ErrorKind::PermissionDenied => unreadable(CHECK, logs),
        Err(error) => Finding::warning(CHECK, format!("its log cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::hive::tests::{chmod, hive};
    use super::*;

    fn bot() -> BotId {
        BotId::parse("BOT-1").unwrap()
    }

    fn record(pid: u32) -> BotRecord {
        let json = format!(
            r#"{{"bot_id":"BOT-1","url":"http://127.0.0.1:1","host":"here","pid":{pid},"mode":"hybrid",
                "adapter":"echo","started_at":"2026-11-22T18:05:27Z","version":"0.1.0","protocol":1}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn life(is_run: bool, record: Option<BotRecord>) -> Life {
        Life { is_run, record: Ok(record), answer: None, trouble: None }
    }

    #[test]
    fn a_process_that_is_gone_another_or_mute_is_told() {
        let (_dir, hive) = hive("");
        let process = |life: Life| life.process(&hive, &bot());
        assert_eq!(process(life(false, None)).level, Level::Ok);
        assert_eq!(process(life(true, None)).level, Level::Warning);
        let mute = process(life(true, Some(record(7))));
        assert!(mute.level == Level::Error && mute.hint.unwrap().starts_with("'kill 7'"));
        assert!(stale(&record(u32::MAX), "here", &bot()).message.contains("is gone"));
        assert!(stale(&record(std::process::id()), "here", &bot()).message.contains("by now"));
        assert!(stale(&record(7), "elsewhere", &bot()).message.contains("on here, another machine"));
        std::fs::write(hive.bot_record(&bot()), "no JSON").unwrap();
        let broken = Life { record: read_record(&hive, &bot()), ..life(false, None) };
        assert_eq!(process(broken).level, Level::Error);
        let denied = FindError::Io { path: hive.bots(), source: ErrorKind::PermissionDenied.into() };
        let hint = process(Life { record: Err(denied), ..life(false, None) }).hint.unwrap();
        assert!(hint.starts_with("'ls -ld"), "{hint}");
    }

    #[test]
    fn a_token_that_others_may_read_is_an_error() {
        let (_dir, hive) = hive("");
        let path = hive.token(&bot());
        assert_eq!(token(&path), None);
        std::fs::write(&path, "x").unwrap();
        chmod(&path, 0o600);
        assert_eq!(token(&path).unwrap().level, Level::Ok);
        chmod(&path, 0o640);
        assert_eq!(token(&path).unwrap().level, Level::Error);
    }

    #[test]
    fn another_version_and_newer_settings_want_a_restart() {
        assert_eq!(version(env!("CARGO_PKG_VERSION"), &bot()).level, Level::Ok);
        assert_eq!(version("0.0.1", &bot()).level, Level::Warning);
        let (_dir, hive) = hive("");
        let at = |micros| settings_in_force(&hive.settings(), Stamp::from_micros(micros), &bot()).level;
        assert_eq!((at(0), at(i64::MAX)), (Level::Warning, Level::Ok));
    }

    #[test]
    fn errors_of_the_last_hour_are_told_and_older_ones_are_not() {
        let (_dir, hive) = hive("");
        let line = |ago: i64, message: &str| {
            let at = Stamp::from_micros(Stamp::now().as_micros() - ago * 1_000_000);
            format!(
                "{{\"timestamp\":\"{at}\",\"level\":\"ERROR\",\"fields\":{{\"message\":\"{message}\"}}}}\n"
            )
        };
        let look =
            || life(false, None).findings(&hive, &bot()).into_iter().find(|it| it.check == "errors").unwrap();
        assert_eq!(look().level, Level::Ok);
        std::fs::write(hive.error_log(&bot()), line(7_200, "long ago")).unwrap();
        assert_eq!(look().level, Level::Ok);
        std::fs::write(hive.error_log(&bot()), line(7_200, "long ago") + &line(60, "no room")).unwrap();
        assert_eq!(look().message, "it logged an error in the last hour, the last: no room");
    }

    #[test]
    fn a_bot_that_is_not_well_says_why() {
        let status = r#"{"bot_id":"BOT-1","state":"idle","paused":true,"paused_by":["disk"],"mode":"hybrid",
            "adapter":"echo","current":null,"suspended":null,"queue":{"P0":1,"P1":0,"P2":4,"P3":0,"chat":0,"blocked":2},
            "chat_clients":2,"approvals":0,"last_activity":"2026-11-22T18:05:27Z","counts":{"completed":1,"failed":0,
            "cancelled":0,"timed_out":0,"incomplete":0},"health":{"status":"critical","reasons":["70 items wait"]}}"#;
        let findings = health(&serde_json::from_str(status).unwrap());
        let levels: Vec<_> = findings.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Error, Level::Warning]);
        assert_eq!(findings[1].message, "70 items wait");
    }
}

//! One bot: its settings, and what they need.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use hive_shared::ids::BotId;
use hive_shared::paths::{Hive, SET_ASIDE};
use hive_shared::regular_file;
use hive_shared::settings::{AdapterFamily, BotSettings, Settings, SettingsError};
use hive_shared::trust;
use hive_shared::work::Mode;

use super::finding::{Finding, unreadable, with_remedy};
use super::{hive, machine, process, queue};
use crate::fleet::Fleet;
use crate::local;

/// Looks at a bot. `is_trusted` says that the hive's directories are not to blame for anything.
pub(super) async fn look(
    fleet: &Fleet,
    hive: &Hive,
    bot: &BotId,
    settings: Option<&Settings>,
    is_trusted: bool,
) -> Vec<Finding> {
    let life = process::Life::look(fleet, hive, bot).await;
    let mut findings = life.findings(hive, bot);
    // Without settings that can be read it is looked at as the defaults have it.
    let mut mode = Mode::Hybrid;
    match settings.map(|settings| (settings, read(settings, bot))) {
        Some((all, Ok(own))) => {
            mode = own.mode;
            findings.extend(judge(&own, hive, bot, all));
            if !life.is_run() {
                findings.extend(port(own.listen, shared_port(own.listen, bot, all)));
            }
        }
        Some((_, Err(fault))) => findings.extend(fault),
        None => {}
    }
    findings.push(ledger(hive, bot));
    findings.extend(in_the_way(hive, bot));
    findings.extend(queue::look(hive, bot, mode, life.is_run(), is_trusted));
    findings
}

/// What lies where the bot has a file of its own, and is none: it does not start, or cannot tell who it is.
fn in_the_way(hive: &Hive, bot: &BotId) -> Vec<Finding> {
    let (database, output) = (hive.database(bot), hive.output_log(bot));
    let log = database.with_extension("db-wal");
    // What opens its door, and what says that it is run, must be its own and not be somewhere else.
    let own = [hive.lock(bot), hive.token(bot), hive.bot_record(bot)].map(|path| (path, false));
    let linked = [database, log, output].map(|path| (path, true));
    let is_file = |path: &Path, may_link: bool| {
        let found = if may_link { path.metadata() } else { path.symlink_metadata() };
        found.is_ok_and(|found| found.is_file())
    };
    let there = own.into_iter().chain(linked).filter(|(path, _)| path.symlink_metadata().is_ok());
    there
        .filter(|(path, may_link)| !is_file(path, *may_link))
        .map(|(path, _)| {
            let word = local::shell_word(&path);
            Finding::error("files", format!("{} is no regular file", path.display()))
                .hint(format!("'mv {word} {word}.aside': the bot makes another"))
        })
        .collect()
}

/// Whether its database was ever found damaged. It is never looked into: that is the bot's alone.
fn ledger(hive: &Hive, bot: &BotId) -> Finding {
    const CHECK: &str = "ledger";
    let database = hive.database(bot);
    let beginning = format!("{bot}.db{SET_ASIDE}");
    let read = std::fs::read_dir(hive.state());
    if read.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
        return unreadable(CHECK, &hive.state());
    }
    let entries = read.into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let last = names
        .filter(|name| name.starts_with(&beginning) && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .max();
    match last {
        None if database.exists() => Finding::ok(CHECK, "its database was never set aside"),
        None => Finding::ok(CHECK, "it has no database yet"),
        Some(name) => {
            let path = hive.state().join(name);
            let message = format!("its database was damaged once: what is left of it is {}", path.display());
            let word = local::shell_word(&hive.state().join(beginning));
            let hint =
                format!("its ledger was rebuilt from the responses; look after the disk, then 'rm {word}*'");
            Finding::warning(CHECK, message).hint(hint)
        }
    }
}

/// The settings in force, else what is wrong with them, if that was not said for all bots already.
fn read(settings: &Settings, bot: &BotId) -> Result<BotSettings, Option<Finding>> {
    settings.bot_here(bot).map_err(|error| {
        let is_shared =
            hive::shared_fault(settings).is_some_and(|shared| shared.to_string() == error.to_string());
        (!is_shared).then(|| wrong(bot, &error))
    })
}

fn wrong(bot: &BotId, error: &SettingsError) -> Finding {
    Finding::error("settings", error.to_string())
        .hint(format!("mend hive.toml; 'hive-agent {bot} --check' shows what is in force"))
}

fn judge(own: &BotSettings, hive: &Hive, bot: &BotId, all: &Settings) -> Vec<Finding> {
    let workdir = own.workdir.as_deref().unwrap_or(hive.root());
    let has_table = all.bots().contains(bot);
    let mut findings = vec![door(own), adapter(own, workdir, has_table), place(workdir)];
    if workdir.is_dir() {
        findings.push(repository(workdir, own.adapter.family()));
    }
    findings
}

/// What it listens at, and whether it would.
fn door(own: &BotSettings) -> Finding {
    const CHECK: &str = "settings";
    if let (Some(certificate), Some(key)) = (&own.tls_cert, &own.tls_key) {
        return encryption(certificate, key).unwrap_or_else(|| {
            Finding::ok(CHECK, format!("mode {}, encrypted at {}", own.mode, own.listen))
        });
    }
    if !own.listen.ip().is_loopback() {
        let message = format!("it listens at {}, beyond this machine: the bot does not start", own.listen);
        return Finding::error(CHECK, message)
            .hint("set tls_cert and tls_key in hive.toml, or listen = \"127.0.0.1:0\" and let ssh or a proxy carry it");
    }
    Finding::ok(CHECK, format!("mode {}, adapter {}", own.mode, own.adapter))
}

/// What is wrong with the files that connections are to be encrypted with.
fn encryption(certificate: &Path, key: &Path) -> Option<Finding> {
    let starts = |what: String| format!("{what}: the bot does not start");
    let open = |path: &Path| {
        regular_file::open_behind_links(path).map_err(|error| {
            let message = starts(format!("{} cannot be read: {error}", path.display()));
            Finding::error("settings", message).hint("tls_cert and tls_key in hive.toml name it")
        })
    };
    let key_file = match open(certificate).and_then(|_| open(key)) {
        Ok(opened) => opened,
        Err(finding) => return Some(finding),
    };
    let fault = trust::check_secret(key, &key_file).err()?;
    let (what, remedy) = with_remedy(&fault.to_string());
    Some(Finding { hint: remedy, ..Finding::error("settings", starts(what)) })
}

/// Whether what is to do the work can be started.
fn adapter(own: &BotSettings, workdir: &Path, has_table: bool) -> Finding {
    const CHECK: &str = "command";
    match own.adapter.family() {
        AdapterFamily::Echo if own.adapter_configured => Finding::ok(CHECK, "the echo adapter needs none"),
        AdapterFamily::Echo => {
            let place = if has_table { "its table" } else { "a table of its own" };
            Finding::note(CHECK, "no adapter is configured: it only says back what it is told")
                .hint(format!("adapter and command in {place} in hive.toml give it a real one"))
        }
        AdapterFamily::OpenAi => {
            let server = own.openai.base_url.as_deref().unwrap_or_default();
            let model = own.openai.model.as_deref().unwrap_or_default();
            Finding::ok(CHECK, format!("none is needed: it asks {server} for {model}"))
        }
        AdapterFamily::Exec | AdapterFamily::Acp => match own.program(workdir, machine::path()) {
            Ok(path) => Finding::ok(CHECK, path.unwrap_or_default().display().to_string()),
            Err(why) => Finding::error(CHECK, why.to_string()).hint(own.remedy()),
        },
    }
}

fn place(workdir: &Path) -> Finding {
    const CHECK: &str = "workdir";
    let path = workdir.display();
    if workdir.is_dir() {
        Finding::ok(CHECK, format!("it works in {path}"))
    } else {
        Finding::error(CHECK, format!("the working directory {path} is not there: the bot does not start"))
            .hint(format!("'mkdir -p {path}', or correct 'workdir' in hive.toml"))
    }
}

fn repository(workdir: &Path, adapter: AdapterFamily) -> Finding {
    const CHECK: &str = "repository";
    if workdir.ancestors().any(|dir| dir.join(".git").exists()) {
        return Finding::ok(CHECK, "it works in a git repository");
    }
    let path = workdir.display();
    let message = format!("{path} is in no git repository: which files a task changed cannot be told");
    match adapter {
        // It changes none.
        AdapterFamily::Echo | AdapterFamily::OpenAi => Finding::ok(CHECK, "it needs no git repository"),
        AdapterFamily::Exec | AdapterFamily::Acp => {
            Finding::warning(CHECK, message).hint(format!("'git init {path}'"))
        }
    }
}

/// Another bot that is to have the same port.
fn shared_port(listen: SocketAddr, bot: &BotId, settings: &Settings) -> Option<BotId> {
    if listen.port() == 0 {
        return None;
    }
    let same = |other: &BotId| settings.bot_here(other).is_ok_and(|other| other.listen == listen);
    settings.bots().into_iter().find(|other| other != bot && same(other))
}

/// Whether a bot that is down could have the port that it is to have.
fn port(listen: SocketAddr, shared_with: Option<BotId>) -> Option<Finding> {
    const CHECK: &str = "port";
    if listen.port() == 0 {
        return None;
    }
    if let Some(other) = shared_with {
        return Some(
            Finding::error(CHECK, format!("{other} is to listen at {listen} too"))
                .hint("give each its own 'listen' in hive.toml; port 0, the default, is always free"),
        );
    }
    let port = listen.port();
    Some(match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(CHECK, format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Finding::error(CHECK, format!("{listen} is taken by another program")).hint(format!(
                "'ss -ltnp sport = :{port}' tells by which; or set another port, or 0, as 'listen'"
            ))
        }
        Err(error) => Finding::error(CHECK, format!("{listen} cannot be listened at: {error}"))
            .hint("correct 'listen' in hive.toml"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::hive::tests::{fault, hive};
    use super::*;

    fn bot() -> BotId {
        BotId::parse("BOT-1").unwrap()
    }

    fn judged(text: &str) -> Vec<Finding> {
        let (_dir, hive) = hive(text);
        let settings = Settings::load(&hive).unwrap();
        judge(&read(&settings, &bot()).unwrap(), &hive, &bot(), &settings)
    }

    #[test]
    fn what_is_no_file_where_the_bot_has_one_is_told() {
        let (dir, hive) = hive("");
        let put = |path: std::path::PathBuf| std::fs::write(path, "").unwrap();
        put(hive.database(&bot()));
        put(hive.token(&bot()));
        put(dir.path().join("log"));
        hive.create(None).unwrap();
        std::os::unix::fs::symlink(dir.path().join("log"), hive.output_log(&bot())).unwrap();
        assert_eq!(in_the_way(&hive, &bot()), []);
        std::fs::create_dir(hive.bot_record(&bot())).unwrap();
        std::fs::remove_file(hive.token(&bot())).unwrap();
        std::os::unix::fs::symlink(dir.path().join("log"), hive.token(&bot())).unwrap();
        std::fs::remove_file(dir.path().join("log")).unwrap();
        let found = in_the_way(&hive, &bot());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|finding| finding.level == Level::Error));
    }

    #[test]
    fn an_echo_that_was_meant_is_well_and_one_that_was_not_is_a_note() {
        assert!(judged("[bots.BOT-1]\nadapter = 'echo'").iter().all(|finding| finding.level == Level::Ok));
        assert_eq!(fault(judged("")).0, Level::Note);
    }

    #[test]
    fn a_command_that_cannot_be_started_is_told_and_how_it_is_mended() {
        let judged = judged("[bots.BOT-1]\nadapter = 'exec'\ncommand = ['no-such-program']\n");
        let found = judged.into_iter().find(|finding| finding.check == "command").unwrap();
        let hint = found.hint.unwrap();
        assert_eq!(found.level, Level::Error);
        assert!(
            found.message.contains("not on PATH") && hint.contains("install"),
            "{}: {hint}",
            found.message
        );
    }

    #[test]
    fn a_place_to_work_that_is_not_there_or_no_repository_is_told() {
        let (level, message, hint) = fault(judged("[bots.BOT-1]\nadapter = 'echo'\nworkdir = 'nowhere'"));
        assert!(
            level == Level::Error && message.contains("nowhere") && hint.starts_with("'mkdir -p"),
            "{message}"
        );
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(repository(dir.path(), AdapterFamily::Exec).level, Level::Warning);
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(repository(&dir.path().join("below"), AdapterFamily::Exec).level, Level::Ok);
    }

    #[test]
    fn what_the_agent_would_refuse_is_an_error() {
        let open = "[bots.BOT-1]\nadapter = 'echo'\nlisten = '0.0.0.0:0'";
        assert!(fault(judged(open)).1.contains("beyond this machine"));
        let tls = "[bots.BOT-1]\nadapter = 'echo'\ntls_cert = 'a'\ntls_key = 'b'";
        assert!(fault(judged(tls)).1.contains("cannot be read"));
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_while_the_bot_is_down() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let finding = port(address, None).unwrap();
        assert!(finding.level == Level::Error && finding.message.contains("taken"), "{finding:?}");
        assert_eq!(port("127.0.0.1:0".parse().unwrap(), None), None);
        let (_dir, hive) = hive("[bots.BOT-1]\nlisten = 4001\n[bots.BOT-2]\nlisten = 4001\n");
        let settings = Settings::load(&hive).unwrap();
        let listen = read(&settings, &bot()).unwrap().listen;
        let other = shared_port(listen, &bot(), &settings);
        assert!(port(listen, other).unwrap().message.contains("BOT-2"));
    }

    #[test]
    fn a_fault_of_all_bots_is_told_once() {
        let of = |text: &str| read(&Settings::load(&hive(text).1).unwrap(), &bot()).unwrap_err();
        assert_eq!(of("[defaults]\nadaptor = 'echo'"), None);
        assert!(of("[bots.BOT-1]\nadaptor = 'echo'").unwrap().message.contains("[bots.BOT-1]"));
    }
}

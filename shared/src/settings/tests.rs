mod corpus;
mod fuzz;

use std::time::Duration;

use super::*;
use crate::work::{Mode, Priority, Source};

struct Fixture {
    _dir: tempfile::TempDir,
    hive: Hive,
}

fn hive(text: &str) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let hive = Hive::at(dir.path());
    hive.create(None).unwrap();
    std::fs::write(hive.settings(), text).unwrap();
    Fixture { _dir: dir, hive }
}

fn bot_of(name: &str) -> BotId {
    BotId::parse(name).unwrap()
}

/// The settings of BOT-002.
fn read(text: &str, environment: &[(&str, &str)], flags: &str) -> Result<BotSettings, SettingsError> {
    let fixture = hive(text);
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(&fixture.hive)?.bot(&bot_of("BOT-002"), environment, flags.parse().unwrap())
}

/// What is said about settings that are wrong, less the temporary directory.
fn complaint(text: &str, environment: &[(&str, &str)]) -> String {
    let error = read(text, environment, "").expect_err(text).to_string();
    match error.split_once("/.deia/") {
        Some((_, rest)) => rest.to_owned(),
        None => error,
    }
}

#[test]
fn a_missing_file_is_an_empty_one_and_the_defaults_hold() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings::load(&Hive::at(dir.path())).unwrap();
    assert!(settings.bots().is_empty());
    assert_eq!(settings.bot(&bot_of("B"), [], toml::Table::new()).unwrap(), BotSettings::default());
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let file = "[defaults]\ntask_limit = 10\nchat_limit = 10\npreempt_grace = 10\nchat_linger = 10\n\
                [bots.BOT-002]\nchat_limit = 20\npreempt_grace = 20\nchat_linger = 20\n\
                [bots.BOT-001]\ntask_limit = 99\n";
    let environment = [("HIVE_AGENT_PREEMPT_GRACE", "30"), ("HIVE_AGENT_CHAT_LINGER", "30"), ("OTHER", "1")];
    let settings = read(file, &environment, "chat_linger = 40").unwrap();
    let seconds = [settings.task_limit, settings.chat_limit, settings.preempt_grace, settings.chat_linger];
    assert_eq!(seconds.map(|d| d.as_secs()), [10, 20, 30, 40]);
    let sources: Vec<_> = settings.sources.values().map(String::as_str).collect();
    assert_eq!(sources, ["[bots.BOT-002]", "flag", "HIVE_AGENT_PREEMPT_GRACE", "[defaults]"]);
}

#[test]
fn inner_tables_are_merged_key_by_key() {
    let file = "[defaults.env]\nA = '1'\nB = '1'\n[defaults.priority_limits]\nP0 = '1h'\n\
                [bots.BOT-002.env]\nB = '2'\n[bots.BOT-002.priority_limits]\nP3 = 60";
    let environment = [("HIVE_AGENT_ENV__c__D", "3"), ("HIVE_AGENT_PRIORITY_LIMITS__P1", "90s")];
    let settings = read(file, &environment, "echo.delay_ms = 0").unwrap();
    let env: Vec<_> = settings.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=1", "B=2", "c__D=3"]);
    let limits = Priority::ALL.map(|p| settings.limit(p).as_secs());
    assert_eq!(limits, [3_600, 90, 1_800, 60]);
    assert_eq!(settings.echo.delay_ms, 0);
}

#[test]
fn variables_are_read_as_what_is_asked_for() {
    let environment = [
        ("HIVE_AGENT_MODE", "cli-only"),
        ("HIVE_AGENT_ADAPTER", "exec"),
        ("HIVE_AGENT_COMMAND", r#"agent --say "two words""#),
        ("HIVE_AGENT_MAX_ATTEMPTS", "7"),
        ("HIVE_AGENT_MAX_OUTPUT", "1024"),
        ("HIVE_AGENT_TRACK_CHANGES", "false"),
        ("HIVE_AGENT_ECHO__DELAY_MS", "0"),
        ("HIVE_AGENT_OPENAI__MODEL", "4"),
        ("HIVE_AGENT_OPENAI__TEMPERATURE", "0.5"),
        ("HIVE_AGENT_ALLOWED_HOSTS", "a.example, b.example"),
        ("HIVE_AGENT_APPROVAL_ALLOW", r#"["read", "edit:src/{a,b}/**"]"#),
        ("HIVE_AGENT_LISTEN", "8002"),
        ("HIVE_AGENT_WORKDIR", ""),
    ];
    let settings = read("", &environment, "").unwrap();
    assert_eq!(settings.mode, Mode::CliOnly);
    assert!(settings.adapter_configured);
    assert_eq!(settings.command, ["agent", "--say", "two words"]);
    assert_eq!((settings.max_attempts, settings.max_output, settings.echo.delay_ms), (7, 1_024, 0));
    assert!(!settings.track_changes);
    assert_eq!(settings.openai.model.as_deref(), Some("4"));
    assert_eq!(settings.openai.temperature, Some(0.5));
    assert_eq!(settings.allowed_hosts, ["a.example", "b.example"]);
    assert_eq!(settings.approval_allow, ["read", "edit:src/{a,b}/**"]);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8002");
    assert_eq!(settings.workdir, None);

    let environment = [("HIVE_AGENT_ADAPTER", "exec"), ("HIVE_AGENT_COMMAND", r#"["a b", "c"]"#)];
    assert_eq!(read("", &environment, "").unwrap().command, ["a b", "c"]);
}

#[test]
fn values_may_be_written_in_several_ways() {
    let settings = read(
        "[defaults]\nadapter = 'exec'\ncommand = ['a', 'b c']\nlisten = ':8002'\ntask_limit = 0.5\n\
         chat_limit = '1h 30m'\nmax_output = '2 KiB'\nworkdir = 'sub'\ntls_cert = '/c.pem'\ntls_key = 'k.pem'",
        &[],
        "",
    )
    .unwrap();
    assert_eq!(settings.command, ["a", "b c"]);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8002");
    assert_eq!(settings.task_limit, Duration::from_millis(500));
    assert_eq!(settings.chat_limit, Duration::from_secs(5_400));
    assert_eq!(settings.max_output, 2_048);
    let workdir = settings.workdir.unwrap();
    assert!(workdir.is_absolute() && workdir.ends_with("sub"), "{workdir:?}");
    assert_eq!(settings.tls_cert, Some("/c.pem".into()));
    assert!(settings.tls_key.unwrap().is_absolute());

    for (written, meant) in [
        ("8002", "127.0.0.1:8002"),
        ("'localhost:8002'", "127.0.0.1:8002"),
        ("'0.0.0.0:80'", "0.0.0.0:80"),
        ("'[::1]:80'", "[::1]:80"),
    ] {
        let settings = read(&format!("[defaults]\nlisten = {written}"), &[], "").unwrap();
        assert_eq!(settings.listen.to_string(), meant);
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_known_one() {
    for (file, expected) in [
        (
            "[defaults]\npreempt_grase = 1",
            "hive.toml, [defaults]: there is no setting 'preempt_grase'; the nearest known one is 'preempt_grace'",
        ),
        (
            "[bots.BOT-002]\nadaptor = 'x'",
            "hive.toml, [bots.BOT-002]: there is no setting 'adaptor'; the nearest known one is 'adapter'",
        ),
        (
            "[bots.BOT-002.echo]\ndelay = 1",
            "hive.toml, [bots.BOT-002]: there is no setting 'echo.delay'; the nearest known one is 'echo.delay_ms'",
        ),
        ("[bot.BOT-002]", "hive.toml: there is no setting 'bot'; the nearest known one is 'bots'"),
        (
            "mode = 'hybrid'",
            "hive.toml: there is no setting 'mode'; the nearest known one is 'defaults.mode'",
        ),
    ] {
        assert_eq!(complaint(file, &[]), expected);
    }
    assert_eq!(
        complaint("", &[("HIVE_AGENT_PREEMPT_GRASE", "1")]),
        "HIVE_AGENT_PREEMPT_GRASE: there is no setting 'preempt_grase'; \
         the nearest known one is 'HIVE_AGENT_PREEMPT_GRACE'"
    );
    assert_eq!(
        complaint("", &[("HIVE_AGENT_ECHO__DELAY", "1")]),
        "HIVE_AGENT_ECHO__DELAY: there is no setting 'echo.delay'; \
         the nearest known one is 'HIVE_AGENT_ECHO__DELAY_MS'"
    );
}

#[test]
fn a_wrong_value_is_named_with_what_would_be_right() {
    for (line, expected) in [
        (
            "task_limit = true",
            r#"task_limit: this should be a number of seconds or a duration such as "10m", not boolean `true`"#,
        ),
        ("track_changes = 'no'", "track_changes: this should be true or false, not the text \"no\""),
        (
            "task_limit = 'soon'",
            "task_limit: 'soon' is no duration: write seconds (300) or units (90s, 10m, 1h30m, 2d)",
        ),
        (
            "task_limit = -1",
            "task_limit: '-1' is no duration: write seconds (300) or units (90s, 10m, 1h30m, 2d)",
        ),
        (
            "task_limit = inf",
            "task_limit: 'inf' is no duration: write seconds (300) or units (90s, 10m, 1h30m, 2d)",
        ),
        ("max_attempts = '3'", r#"max_attempts: this should be a whole number, 0 or more, not the text "3""#),
        ("max_attempts = -3", "max_attempts: this should be a whole number, 0 or more, not the number -3"),
        ("mode = 'hibrid'", "mode: 'hibrid' is none of cli-only, hybrid, commander-only"),
        ("mode = 1", "mode: this should be one of cli-only, hybrid, commander-only, in quotes"),
        (
            "adapter = 'claud'",
            "adapter: 'claud' is none of echo, exec, acp, openai, claude, codex, gemini, opencode, qwen, goose",
        ),
        ("allowed_hosts = 'x'", r#"allowed_hosts: this should be a list, not the text "x""#),
        ("allowed_hosts = [1]", "allowed_hosts: this should be a text in quotes, not the number 1"),
        ("workdir = {}", "workdir: this should be a path in quotes, not a table"),
        ("echo = 5", "echo: this should be a table, not the number 5"),
        ("priority_limits.P9 = 1", "priority_limits.P9: 'P9' is none of P0, P1, P2, P3"),
        ("env.A = 1", "env.A: this should be a text in quotes, not the number 1"),
        (
            "max_output = '1 mile'",
            "max_output: '1 mile' is no size: write bytes (1048576) or units (512KiB, 64MiB, 1GiB)",
        ),
        (
            "listen = 'example.org:80'",
            "listen: 'example.org:80' is no address to listen on: write 127.0.0.1:8002, [::1]:8002, or a port of 127.0.0.1 alone (8002)",
        ),
        ("command = 'a \"b'", "command: a quote in the command is not closed"),
        (
            "chat_limit = 2026-01-01",
            "chat_limit: '2026-01-01' is no duration: write seconds (300) or units (90s, 10m, 1h30m, 2d)",
        ),
    ] {
        assert_eq!(
            complaint(&format!("[defaults]\n{line}"), &[]),
            format!("hive.toml, [defaults]: {expected}")
        );
    }
    assert_eq!(
        complaint("", &[("HIVE_AGENT_MAX_ATTEMPTS", "many")]),
        r#"HIVE_AGENT_MAX_ATTEMPTS: max_attempts: this should be a whole number, 0 or more, not the text "many""#
    );
}

#[test]
fn what_cannot_work_together_is_refused() {
    let openai = |line: &str| {
        let model = if line.starts_with("model") { "" } else { "model = 'm'" };
        format!("adapter = 'openai'\n[defaults.openai]\nbase_url = 'http://x/v1'\n{model}\n{line}")
    };
    for (lines, part) in [
        ("adapter = 'exec'", "needs a command"),
        ("adapter = 'acp'", "needs the command of an agent that speaks ACP"),
        ("command = ['x']", "add adapter = \"exec\""),
        ("adapter = 'exec'\ncommand = ['']", "must not be empty"),
        ("adapter = 'openai'", "needs the server's address, such as openai.base_url = "),
        ("adapter = 'openai'\nopenai.base_url = 'http://x/v1'", "needs the model's name"),
        (&openai("model = ' '"), "needs the model's name"),
        (&openai("api_key_env = 'sk-1234'"), "what it says is no name"),
        (&openai("context_tokens = 0"), "must be more than 0"),
        (&openai("max_tokens = 0"), "must be more than 0"),
        (&openai("temperature = -1"), "temperature must be 0 or more"),
        (&openai("stall_timeout = 0"), "stall_timeout must be more than 0"),
        ("tls_cert = 'x'", "tls_cert needs a tls_key"),
        ("tls_key = 'x'", "tls_key needs a tls_cert"),
        ("task_limit = 0", "task_limit must be more than 0"),
        ("priority_limits.P1 = 0", "priority_limits must be more than 0"),
        ("max_attempts = 0", "max_attempts must be 1 or more"),
        ("max_output = 0", "max_output must be more than 0"),
        ("env.'A=B' = 'x'", "no name of a variable"),
    ] {
        let complaint = complaint(&format!("[defaults]\n{lines}"), &[]);
        assert!(complaint.starts_with("the settings of BOT-002 cannot work: "), "{complaint}");
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[test]
fn a_table_must_be_of_a_bot_and_the_file_must_be_toml() {
    assert_eq!(
        complaint("[bots.'../x']", &[]),
        "hive.toml: bots.../x: an id begins with a letter or a digit, not with '.'"
    );
    assert_eq!(complaint("bots.B = 5", &[]), "hive.toml: bots.B: this should be a table, not the number 5");
    let syntax = complaint("[defaults]\nmode = \n", &[]);
    assert!(syntax.starts_with("hive.toml, line 2: ") && !syntax.contains('\n'), "{syntax}");
}

#[test]
fn another_bots_mistake_is_not_ours() {
    let fixture = hive("[bots.BOT-001]\nnonsense = 1\n[bots.BOT-002]\nmode = 'hybrid'");
    let settings = Settings::load(&fixture.hive).unwrap();
    assert_eq!(settings.bots(), [bot_of("BOT-001"), bot_of("BOT-002")]);
    assert!(settings.bot(&bot_of("BOT-002"), [], toml::Table::new()).is_ok());
    assert!(settings.bot(&bot_of("BOT-001"), [], toml::Table::new()).is_err());
}

#[test]
fn a_preset_fills_in_what_is_not_set() {
    let settings = read("[defaults]\nadapter = 'claude'", &[], "").unwrap();
    assert_eq!(settings.command, ["claude-agent-acp"]);
    assert_eq!(settings.acp_mode.as_deref(), Some("default"));
    assert!(settings.to_toml().contains("# adapter claude"), "{}", settings.to_toml());

    let settings = read(
        "[defaults]\nadapter = 'goose'\ncommand = ['my-goose']\nacp_mode = 'chat'\n[defaults.env]\nGOOSE_MODE = 'chat'",
        &[],
        "",
    )
    .unwrap();
    assert_eq!((settings.command, settings.acp_mode), (vec!["my-goose".to_owned()], Some("chat".to_owned())));
    assert_eq!(settings.env["GOOSE_MODE"], "chat");

    for kind in AdapterKind::ALL {
        let is_named =
            !matches!(kind, AdapterKind::Echo | AdapterKind::Exec | AdapterKind::Acp | AdapterKind::OpenAi);
        assert_eq!(kind.preset().is_some(), is_named, "{kind}");
    }
}

#[test]
fn approvals_go_by_source() {
    let settings = read("[defaults]\napproval = 'deny'\napproval_chat = 'ask'", &[], "").unwrap();
    let answers = [Source::File, Source::Chat].map(|source| settings.approval_of(source));
    assert_eq!(answers, [Approval::Deny, Approval::Ask]);
}

#[test]
fn what_is_shown_reads_back_and_says_where_it_came_from() {
    let file = "[defaults]\nadapter = 'exec'\ncommand = ['a b', 'c\"']\nworkdir = 'w'\nchat_linger = 0.25\n\
                chat_limit = 90\nmax_output = 1000\n[defaults.env]\nPATH = '/bin'\nAPI_KEY = 'hush'\n'a b' = 'c'\n\
                [defaults.openai]\nsystem_prompt = \"one\\ntwo\"";
    let settings = read(file, &[("HIVE_AGENT_PREEMPT_GRACE", "10")], "").unwrap();
    let shown = settings.to_toml();
    assert!(!shown.contains("hush"), "{shown}");
    for line in [
        r#"preempt_grace = "10s"                    # HIVE_AGENT_PREEMPT_GRACE"#,
        r#"task_limit = "30m"                       # default"#,
        r#"API_KEY = "***"                          # [defaults]"#,
    ] {
        assert!(shown.lines().any(|l| l == line), "{line}\n{shown}");
    }
    let mut again = read("", &[], &shown).unwrap();
    let mut expected = settings;
    expected.env.insert("API_KEY".into(), "***".into());
    again.sources.clear();
    expected.sources.clear();
    assert_eq!(again, expected);
}

#[test]
fn the_template_is_settings_and_its_values_are_the_defaults() {
    assert_eq!(read(TEMPLATE, &[], "").unwrap(), BotSettings::default());

    let uncommented: String = TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let mut settings = read(&uncommented, &[], "").unwrap();
    assert!(settings.workdir.take().is_some());
    assert_eq!(settings.approval_file.take(), Some(Approval::Ask));
    assert_eq!(settings.approval_chat.take(), Some(Approval::Ask));
    let limits = std::mem::take(&mut settings.priority_limits);
    assert!(limits.len() == 4 && limits.values().all(|limit| *limit == settings.task_limit));
    settings.sources.clear();
    settings.adapter_configured = false;
    assert_eq!(settings, BotSettings::default());

    // The examples of keys that have no default stand further in, as prose.
    let all = uncommented.replace("\n#     ", "\n");
    let settings = read(&all, &[], "").unwrap();
    let written =
        |key: &&str| all.contains(&format!("\n{key} = ")) || all.contains(&format!("\n[defaults.{key}]\n"));
    let keys =
        [read::keys_of::<BotSettings>(), read::keys_of::<EchoSettings>(), read::keys_of::<OpenAiSettings>()];
    assert!(keys.iter().all(|keys| !keys.is_empty()));
    assert_eq!(keys.concat().iter().filter(|key| !written(key)).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(settings.openai.api_key_file.is_some());
}

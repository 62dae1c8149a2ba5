//! What people see of the bots and of what happened: status, timeline, tasks, show.

use hive_tests::{Agent, CTRL_C, Hive, Terminal, binary, control, ctl, until};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::scripts::AGENT;

/// hivectl in a terminal of so many columns.
fn narrow(hive: &Hive, columns: u16, command: &str) -> Terminal {
    let line = format!("stty cols {columns}; exec {} {command}", binary("hivectl").display());
    Terminal::start(hive, "sh", &["-c", &line], &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_changes_in_place_and_leaves_the_last_state() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    for signal in [None, Some(Signal::SIGTERM)] {
        let id = if signal.is_some() { "TASK-2" } else { "TASK-1" };
        let mut terminal = Terminal::hivectl(&hive, &["status", "--watch"]);
        terminal.shows("idle").await;
        let first = terminal.until("a first line", |screen| screen.lines().next().map(str::to_owned)).await;
        assert!(first.contains(&*hive.root().to_string_lossy()), "{first}");
        assert!(terminal.sent().contains("\x1b[?25l") && !terminal.sent().contains("\x1b[?25h"));
        hive.drop_task(&format!("{id}.md"), "hold");
        terminal
            .until("the row has changed", |screen| {
                (screen.contains(id) && !screen.contains("idle")).then_some(())
            })
            .await;
        // One table, in place.
        assert_eq!(terminal.screen().matches("STATE").count(), 1, "{}", terminal.screen());
        match signal {
            None => terminal.press(CTRL_C),
            Some(signal) => terminal.signal(signal),
        }
        assert_eq!(terminal.ended().await.code(), Some(130));
        terminal
            .until("the cursor is back", |_| terminal.sent().contains("\x1b[?25h\x1b[?1049l").then_some(()))
            .await;
        terminal.shows(id).await;
        hive.touch(&format!("go-{id}"));
        agent.api().until_ended(id).await;
        agent.api().until_status("it is idle", |status| status["state"] == "idle").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_terminal_has_what_matters_and_says_what_it_has_not() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "# A task with a long title\n\nhold");
    agent.api().until_is("TASK-1", "running").await;
    let mut terminal = narrow(&hive, 50, "status");
    assert_eq!(terminal.ended().await.code(), Some(0));
    let screen = terminal.screen();
    assert!(
        screen.contains("working") && screen.contains("TASK-1") && screen.contains("healthy"),
        "{screen}"
    );
    assert!(!screen.contains("LAST  "), "{screen}");
    terminal.shows("LAST").await;
    terminal.shows("left out for want of room").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bot_that_is_named_is_shown_with_all_there_is() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    ctl(&hive, &["pause", "BOT-002", "--tasks", "--reason", "a release"]).await.expect(0);
    let mut terminal = Terminal::hivectl(&hive, &["status", "BOT-002"]);
    assert_eq!(terminal.ended().await.code(), Some(0));
    terminal.shows("by user (file tasks; chat goes on): a release").await;
    terminal.shows(&format!("pid {}", agent.pid())).await;
    terminal.shows(&agent.record().url).await;
    drop(agent);

    hive.drop_task("TASK-1.md", "hello");
    let mut terminal = Terminal::hivectl(&hive, &["status", "BOT-002"]);
    assert_eq!(terminal.ended().await.code(), Some(3));
    terminal.shows("1 task file waiting").await;
    terminal.shows("hive-agent BOT-002").await;
    // For scripts it is a row, as any.
    let piped = ctl(&hive, &["status", "BOT-002"]).await.expect(3);
    assert!(piped.out.starts_with("BOT ") && piped.out.contains("1 wait"), "{piped:?}");
    let json = ctl(&hive, &["status", "-o", "json"]).await.expect(0).json();
    assert_eq!((&json[0]["state"], &json[0]["waiting"]), (&"down".into(), &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_hangs_does_not_hide_the_others() {
    let hive = Hive::echo(0, "");
    let other = hive.of("BOT-003");
    let (hung, _well) = (Agent::start(&hive).await, Agent::start(&other).await);
    hung.signal(Signal::SIGSTOP);
    // The machine may be so busy that the other is late too.
    let looked = until(
        "one row is there and the other says why not",
        async || hive.state(),
        async || {
            let looked = ctl(&hive, &["status", "-o", "json"]).await;
            let rows = looked.json();
            (rows[0]["state"] == "unknown" && rows[1]["state"] == "idle").then_some(looked)
        },
    );
    let looked = looked.await.expect(3);
    assert!(looked.err.starts_with("hivectl: BOT-002: it is there, but did not answer"), "{looked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_in_a_terminal_shows_what_grows_and_then_how_it_ended() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let terminal = Terminal::hivectl(&hive, &["timeline", "--follow"]);
    terminal.shows("WHAT").await;
    hive.drop_task("TASK-1.md", "# Count to sixty\n\ncount");
    // The last words grow in a line below.
    let at = |screen: &str| {
        let line = screen.lines().find(|line| line.contains("TASK-1") && line.contains(" of 30m00s"))?;
        line.split_whitespace().last()?.parse::<u32>().ok()
    };
    let first = terminal.until("it counts", at).await;
    terminal.until("it counts on", |screen| at(screen).filter(|number| *number > first)).await;
    agent.api().until_ended("TASK-1").await;
    let ended = terminal.until("it has ended", |screen| {
        let row = screen.lines().find(|line| line.contains("completed") && line.contains("TASK-1"))?;
        (!screen.contains("30m00s")).then(|| row.to_owned())
    });
    assert!(ended.await.contains("Count to sixty"));

    let asked = ctl(&hive, &["ask", "BOT-002", "hello"]).await.expect(0);
    assert!(asked.out.contains("you said"), "{asked:?}");
    let lines = terminal.until("the reply is there", |screen| {
        let rows: Vec<_> = screen.lines().map(str::to_owned).collect();
        let prompt = rows.iter().position(|row| row.contains("»  dave"))?;
        rows.iter().position(|row| row.contains("└  BOT-002")).map(|reply| (rows, prompt, reply))
    });
    let (rows, prompt, reply) = lines.await;
    assert!(reply == prompt + 1 && rows[reply].contains("completed"), "{rows:#?}");
    // Each has a row, and what was queued and ran on the way has none.
    let rows = terminal.history();
    assert_eq!(rows.matches("TASK-1").count(), 1, "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_in_a_pipe_has_a_line_for_each_change() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut child = control(&hive, &["timeline", "-f", "--kind", "task"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = async || lines.next_line().await.unwrap().unwrap();
    assert!(line().await.starts_with("TIME"));
    hive.drop_task("TASK-1.md", "hold");
    loop {
        if line().await.contains("running") {
            break;
        }
    }
    hive.touch("go");
    assert!(line().await.contains("completed"));
    drop(agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_entry_is_cut_and_full_shows_all_of_it() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "count");
    hive.drop_task("TASK-2.md", "fail");
    agent.api().until_ended("TASK-1").await;
    agent.api().until_ended("TASK-2").await;
    let mut terminal = Terminal::hivectl(&hive, &["timeline"]);
    assert_eq!(terminal.ended().await.code(), Some(0));
    terminal.shows("'--full' shows all of each entry").await;
    assert!(!terminal.history().contains("    60"));
    let mut terminal = Terminal::hivectl(&hive, &["timeline", "--full"]);
    assert_eq!(terminal.ended().await.code(), Some(0));
    terminal.until("all of it", |_| terminal.history().contains("\n    60").then_some(())).await;
    terminal.shows("    error: exited with status 3").await;
    assert!(!terminal.history().contains("hint:"));
}

#[tokio::test]
async fn filters_take_several_words() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    for (name, text) in [("OK", "hello"), ("BAD", "fail"), ("HELD", "hold")] {
        hive.drop_task(&format!("{name}.md"), text);
    }
    agent.api().until_ended("OK").await;
    agent.api().until_ended("BAD").await;
    agent.api().until_is("HELD", "running").await;
    let listed = async |arguments: &[&str]| {
        let json = ctl(&hive, &[&["timeline", "-o", "json"], arguments].concat()).await.expect(0).json();
        let mut ids: Vec<_> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["entry_id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(listed(&["--status", "failed,running"]).await, ["BAD", "HELD"]);
    assert_eq!(listed(&["--status", "failed,completed", "--kind", "task"]).await, ["BAD", "OK"]);
    assert_eq!(listed(&["--until", "yesterday"]).await, [""; 0]);
    assert_eq!(listed(&["--since", "today", "--kind", "task"]).await, ["BAD", "HELD", "OK"]);
    ctl(&hive, &["timeline", "--status", "failed,well"]).await.expect(2);
}

#[tokio::test]
async fn where_there_is_nothing_it_is_said_beside_the_result() {
    let hive = Hive::echo(0, "");
    for (command, said) in [
        (&["tasks", "BOT-002"][..], "nothing waits for BOT-002"),
        (&["tasks", "BOT-002", "--all"], "BOT-002 has no tasks"),
        (&["timeline", "BOT-002"], "nothing has happened on BOT-002 yet"),
        (&["timeline", "--since", "1h"], "nothing happened in that time"),
        (&["timeline", "--grep", "words"], "no entry is such as these filters want"),
        (&["approvals"], "nothing waits for an answer"),
    ] {
        let ran = ctl(&hive, command).await.expect(0);
        assert!(ran.out.is_empty() && ran.err.contains(said), "{command:?}: {ran:?}");
        let json = ctl(&hive, &[command, &["-o", "json"]].concat()).await.expect(0);
        assert_eq!(json.out, "[]\n", "{command:?}");
    }
}

#[tokio::test]
async fn tasks_of_all_bots_are_one_list_and_say_how_long_they_took() {
    let hive = Hive::exec(AGENT, "");
    let other = hive.of("BOT-003");
    other.paths().create(Some(other.bot())).unwrap();
    other.drop_task("THERE.md", "hello");
    let agent = Agent::start(&hive).await;
    hive.drop_task("DONE.md", "hello");
    agent.api().until_ended("DONE").await;
    let json = ctl(&hive, &["tasks", "--all", "-o", "json"]).await.expect(0).json();
    let of: Vec<_> =
        json.as_array().unwrap().iter().map(|task| (&task["bot_id"], &task["task_id"])).collect();
    assert_eq!(of, [(&"BOT-002".into(), &"DONE".into()), (&"BOT-003".into(), &"THERE".into())]);
    let table = ctl(&hive, &["tasks", "BOT-002", "--all"]).await.expect(0).out;
    assert!(table.contains("TOOK") && table.contains("ms"), "{table}");
    drop(agent);
    let table = ctl(&hive, &["tasks", "BOT-002", "--all"]).await.expect(0).out;
    assert!(table.contains("TOOK") && table.contains("DONE"), "{table}");
}

#[tokio::test]
async fn show_names_files_that_can_be_opened() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "hello");
    agent.api().until_ended("TASK-1").await;
    let shown = ctl(&hive, &["show", "TASK-1"]).await.expect(0).out;
    for name in ["file:", "response file:"] {
        let path =
            shown.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{shown}"));
        assert!(hive.root().join(path.trim()).is_file(), "{shown}");
    }
}

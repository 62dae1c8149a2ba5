//! SPEC 10: what a terminal looks like once a command is left by Ctrl-C, or ended by a signal.

use hive_tests::{Agent, CTRL_C, Hive, Terminal, binary, ctl};
use nix::sys::signal::Signal;

use crate::scripts::AGENT;

/// How a command is left.
#[derive(Debug, Clone, Copy)]
enum Way {
    Key,
    Signal(Signal),
}

/// Leaves a command as soon as its terminal shows something, in each of the ways, and compares what stays there.
async fn leaves(hive: &Hive, line: &str, shows: &str, stays: &str) {
    for way in [Way::Key, Way::Signal(Signal::SIGINT), Way::Signal(Signal::SIGTERM)] {
        let arguments: Vec<_> = line.split(' ').collect();
        let mut terminal = Terminal::hivectl(hive, &arguments);
        terminal.shows(shows).await;
        match way {
            Way::Key => terminal.press(CTRL_C),
            Way::Signal(signal) => terminal.signal(signal),
        }
        assert_eq!(terminal.ended().await.code(), Some(130), "{line}, {way:?}");
        let screen = terminal.screen();
        assert!(terminal.is_as_before(), "{line}, {way:?}: {:?}\n{screen}", terminal.cursor());
        assert!(same(screen.trim_end(), stays), "{line}, {way:?}:\n{screen}\n--- is not\n{stays}");
    }
}

/// Whether these are the rows of a text; a `*` stands for any words.
fn same(text: &str, pattern: &str) -> bool {
    let rows: Vec<_> = text.lines().map(str::trim_end).collect();
    let patterns: Vec<_> = pattern.lines().collect();
    let fits = |(row, pattern): (&&str, &&str)| {
        let mut rest = Some(*row);
        let mut parts = pattern.split('*');
        rest = rest.and_then(|row| row.strip_prefix(parts.next().unwrap_or_default()));
        for part in parts {
            rest = rest.and_then(|row| row.find(part).map(|at| &row[at + part.len()..]));
        }
        rest.is_some_and(|rest| rest.is_empty() || pattern.ends_with('*'))
    };
    rows.len() == patterns.len() && rows.iter().zip(&patterns).all(fits)
}

/// A bot whose only task, `HOLD`, lasts.
async fn holding(hive: &Hive) -> Agent {
    let agent = Agent::start(hive).await;
    hive.drop_task("HOLD.md", "hold");
    agent.api().until_is("HOLD", "running").await;
    agent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_leaves_no_line_of_progress_behind() {
    let hive = Hive::exec(AGENT, "");
    let _agent = holding(&hive).await;
    let leave = "hivectl: no longer waiting; the work goes on";
    leaves(&hive, "wait HOLD", "BOT-002: HOLD is running", leave).await;
    leaves(&hive, "wait HOLD HOLD", "BOT-002: HOLD is running", leave).await;
    ctl(&hive, &["submit", "BOT-002", "hello", "--id", "T1"]).await.expect(0);
    let stays = format!("hivectl: T1 was submitted before\nT1 of BOT-002 is queued*\n{leave}");
    leaves(&hive, "submit BOT-002 hello --id T1 --wait", "T1 is queued (place 1)", &stays).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_fits_the_terminal() {
    let hive = Hive::exec(AGENT, "");
    let _agent = holding(&hive).await;
    // Without UTF-8, one that cuts off what has no room, as xterm does.
    let environment = [("LANG", "C"), ("XTERM_VERSION", "XTerm(390)")];
    let mut terminal = Terminal::start(&hive, binary("hivectl"), &["wait", "HOLD"], &environment);
    terminal.shows("HOLD is running").await;
    terminal.resize(24, 30);
    let is_cut =
        |screen: &str| (screen.contains("BOT-002") && !screen.contains("HOLD is running")).then_some(());
    terminal.until("the line is cut", is_cut).await;
    terminal.resize(24, 100);
    terminal.shows("HOLD is running").await;
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().await.code(), Some(130));
    assert_eq!(terminal.screen().trim_end(), "hivectl: no longer waiting; the work goes on");
    assert!(terminal.sent().is_ascii(), "{:?}", terminal.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_leaves_what_was_said_and_nothing_else() {
    let hive = Hive::exec(AGENT, "");
    let _agent = holding(&hive).await;
    let stays = "hivectl: HOLD was submitted before\nhivectl: following HOLD\nbegun\n\
                 hivectl: no longer waiting; the work goes on";
    leaves(&hive, "submit BOT-002 hold --id HOLD --follow", "begun", stays).await;
    leaves(&hive, "timeline -f", "begun", "TIME*\n*started*").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_gives_the_screen_back() {
    let hive = Hive::exec(AGENT, "");
    let _agent = holding(&hive).await;
    leaves(&hive, "status --watch", "HOLD", "BOT*\nBOT-002*HOLD*").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_and_down_leave_no_line_of_progress_behind() {
    let hive = Hive::exec(AGENT, "[bots.BOT-002]");
    let _agent = holding(&hive).await;
    let down = "hivectl: no longer waiting; a bot that was told to stop does so when its turn is over";
    let up = "hivectl: no longer waiting; a bot that was started goes on starting";
    leaves(&hive, "down", "BOT-002 finishes HOLD", down).await;
    leaves(&hive, "up", "BOT-002 stops first, when HOLD is over", up).await;
}

//! SPEC 10: `hivectl chat` as a person uses it, at a terminal.

use std::fmt::Write as _;

use hive_tests::{ALT_ENTER, Agent, CTRL_C, CTRL_D, ENTER, Hive, Terminal, UP};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::scripts::AGENT;

/// A chat that waits for its first line.
async fn chat(hive: &Hive) -> Terminal {
    chat_in(hive, &[]).await
}

async fn chat_in(hive: &Hive, environment: &[(&str, &str)]) -> Terminal {
    let program = hive_tests::binary("hivectl");
    let terminal = Terminal::start(hive, program, &["chat", "BOT-002"], environment);
    terminal.until("it listens", |screen| screen.lines().any(|line| line == ">").then_some(())).await;
    terminal
}

/// Waits until nothing goes on any more: the last row is an empty prompt.
async fn idle(terminal: &Terminal) {
    terminal.until("the answer is over", |screen| screen.ends_with("\n\n>").then_some(())).await;
}

/// The words of all that the terminal ever showed.
fn words(terminal: &Terminal) -> String {
    terminal.history().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Many words, each other than all before.
fn counted(count: usize) -> String {
    let mut text = String::new();
    for n in 1..=count {
        let _infallible = write!(text, "w{n} ");
    }
    text.trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_while_an_answer_streams_stays_and_the_answer_is_whole() {
    let hive = Hive::echo(8, "");
    let _agent = Agent::start(&hive).await;
    let mut terminal = chat(&hive).await;
    let said = counted(300);
    terminal.enter(&said);
    terminal.shows("BOT-002 answers").await;
    for key in "typed meanwhile".chars() {
        terminal.press(key.encode_utf8(&mut [0; 4]));
        terminal.until("the answer goes on", |screen| screen.contains("> t").then_some(())).await;
    }
    terminal
        .until("the answer is over", |screen| screen.ends_with("\n\n> typed meanwhile").then_some(()))
        .await;
    // Once as it was said, once as it was answered.
    let shown = words(&terminal);
    assert_eq!(shown.matches(&said).count(), 2, "{}", terminal.history());
    assert_eq!(shown.matches("w150 ").count(), 2, "{}", terminal.history());
    assert!(!terminal.history().contains("Ctrl-C cancels\n"), "{}", terminal.history());
    terminal.press(ENTER);
    terminal
        .until("it is answered", |screen| (screen.matches("typed meanwhile").count() == 2).then_some(()))
        .await;
    idle(&terminal).await;
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_prompt_waits_below_and_is_answered_after_the_first() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    let terminal = chat(&hive).await;
    terminal.enter("hold");
    terminal.shows("begun").await;
    terminal.enter("second");
    terminal.shows("  > second (waits)").await;
    hive.touch("go");
    terminal.shows("you said: second").await;
    idle(&terminal).await;
    let screen = terminal.screen();
    let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("no {text:?}\n{screen}"));
    assert!(place("> hold") < place("\ndone") && place("\ndone") < place("> second"), "{screen}");
    assert!(!screen.contains("(waits)"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_are_ahead_is_told_as_they_go() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut others = agent.chat().await;
    for id in ["CHAT-1", "CHAT-2"] {
        others.prompt(id, "hold").await;
        others.accepted(id).await;
    }
    let terminal = chat(&hive).await;
    terminal.enter("hello");
    terminal.shows("waiting: 2 prompts ahead of you").await;
    hive.touch("go-CHAT-1");
    terminal.shows("waiting: 1 prompt ahead of you").await;
    hive.touch("go-CHAT-2");
    terminal.shows("you said: hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_kept_between_runs() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    let mut first = chat(&hive).await;
    first.enter("remember me");
    idle(&first).await;
    first.enter("/quit");
    assert_eq!(first.ended().await.code(), Some(0));

    let second = chat(&hive).await;
    second.press(UP);
    second.shows("> /quit").await;
    second.press(UP);
    second.shows("> remember me").await;
    second.press(CTRL_C);
    second.press("\x12member");
    second.shows("(search) member: remember me").await;
    second.press(ENTER);
    second.press(ENTER);
    second.until("it is answered", |screen| (screen.matches("remember me").count() == 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_cannot_be_kept_is_a_notice() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    hive.touch("file");
    let place = hive.root().join("file/history");
    let terminal = chat_in(&hive, &[("HIVECTL_HISTORY", &place.to_string_lossy())]).await;
    terminal.shows("what you type is not kept").await;
    terminal.enter("all the same");
    idle(&terminal).await;
    terminal.press(UP);
    terminal.shows("\n> all the same").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_lines_are_one_prompt() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let terminal = chat(&hive).await;
    terminal.press("one");
    terminal.press(ALT_ENTER);
    terminal.press("two\\");
    terminal.press(ENTER);
    // As a terminal hands over what is pasted.
    terminal.press("\x1b[200~three\rfour\x1b[201~");
    terminal.shows("> one\n  two\n  three\n  four").await;
    terminal.press(ENTER);
    idle(&terminal).await;
    let prompts = agent.api().entries("kind=prompt").await;
    assert_eq!(prompts.len(), 1, "{prompts:#?}");
    assert_eq!(
        (&prompts[0]["content"], &prompts[0]["sender"]),
        (&json!("one\ntwo\nthree\nfour"), &json!("dana"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_clears_then_cancels_then_leaves() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut terminal = chat(&hive).await;
    terminal.press("not this");
    terminal.shows("> not this").await;
    terminal.press(CTRL_C);
    terminal.until("it is cleared", |screen| screen.ends_with("\n>").then_some(())).await;
    terminal.enter("hold");
    terminal.shows("begun").await;
    terminal.press(CTRL_C);
    terminal.shows("✗ cancelled").await;
    idle(&terminal).await;
    let entries = agent.api().entries("kind=reply").await;
    assert_eq!(entries[0]["status"], "cancelled", "{entries:#?}");
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended().await.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_d_asks_before_it_leaves_an_answer_behind() {
    let hive = Hive::exec(AGENT, "");
    let _agent = Agent::start(&hive).await;
    let mut terminal = chat(&hive).await;
    terminal.enter("hold");
    terminal.shows("begun").await;
    terminal.press(CTRL_D);
    terminal.shows("Ctrl-D again leaves").await;
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended().await.code(), Some(0));
    // What was said so far stays on the screen.
    assert!(terminal.screen().contains("\nbegun\n"), "{}", terminal.screen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_was_never_sent_is_lost_when_one_leaves_and_that_is_told() {
    let hive = Hive::echo(0, "");
    let mut agent = Agent::start(&hive).await;
    let mut terminal = chat(&hive).await;
    agent.kill9();
    terminal.shows("does not answer; what you say is kept").await;
    terminal.enter("are you there?");
    terminal.shows("> are you there?").await;
    terminal.press(CTRL_D);
    terminal.shows("1 prompt is not sent yet, and is lost if you leave; Ctrl-D again leaves").await;
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended().await.code(), Some(1));
    terminal.shows("✗ 1 prompt was not sent, and is lost").await;
    assert!(!terminal.history().contains("cancels it"), "{}", terminal.history());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_gives_way_is_told() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    hive.drop_task("TASK-1.md", "hold");
    agent.api().until_is("TASK-1", "running").await;
    let terminal = chat(&hive).await;
    terminal.shows("works on TASK-1").await;
    terminal.enter("hello");
    terminal.shows("· TASK-1 is suspended for you, and will resume").await;
    terminal.shows("you said: hello").await;
    hive.touch("go");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_character_is_lost_or_doubled_across_a_crash_of_the_bot() {
    let hive = Hive::echo(10, "");
    let mut agent = Agent::start(&hive).await;
    let terminal = chat(&hive).await;
    let said = counted(300);
    terminal.enter(&said);
    let answer = |screen: &str| screen.split("w300\n\n").nth(1).is_some_and(|text| text.contains(" w40 "));
    terminal.until("the answer comes", |screen| answer(screen).then_some(())).await;
    agent.kill9();
    terminal.shows("is lost; trying again").await;
    // What is said meanwhile is kept.
    terminal.enter("are you there?");
    let agent = Agent::start(&hive).await;
    terminal.shows("✗ cut short").await;
    terminal
        .until("it is answered", |screen| (screen.matches("are you there?").count() == 2).then_some(()))
        .await;
    idle(&terminal).await;
    let entries = agent.api().entries("kind=reply").await;
    let cut = entries.iter().find(|entry| entry["status"] == "incomplete").expect("there is one");
    let recorded = cut["content"].as_str().expect("a text").trim().to_owned();
    let shown = words(&terminal);
    let from = shown.find("trying again").expect("it was told");
    let answer =
        shown[from..].split(" ✗ cut short").next().and_then(|text| text.find("w1 ").map(|at| &text[at..]));
    let answer = answer.expect("an answer");
    // A moment's words may have been shown that the bot had not written down yet.
    assert!(answer.starts_with(&recorded), "{answer}\nis not\n{recorded}");
    assert!(said.starts_with(answer), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_goes_away_while_nothing_is_said_is_told_once() {
    let hive = Hive::echo(0, "");
    let mut agent = Agent::start(&hive).await;
    let terminal = chat(&hive).await;
    agent.kill9();
    terminal.shows("does not answer; what you say is kept").await;
    let _agent = Agent::start(&hive).await;
    terminal.shows("· BOT-002 is back").await;
    terminal.enter("hello");
    idle(&terminal).await;
    assert_eq!(terminal.history().matches("trying again").count(), 1, "{}", terminal.history());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_what_they_say() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut terminal = chat(&hive).await;
    let status = async |what: &str, is: fn(&serde_json::Value) -> bool| {
        agent.api().until_status(what, is).await;
    };
    terminal.enter("/pause for lunch");
    terminal.shows("paused (for lunch): what you say waits until /resume").await;
    status("it is paused", |status| status["paused"] == true).await;
    terminal.enter("hello");
    terminal.shows("waiting: BOT-002 is paused").await;
    terminal.enter("/resume");
    terminal.shows("you said: hello").await;
    idle(&terminal).await;
    status("it goes on", |status| status["paused"] == false).await;

    terminal.enter("hold");
    terminal.shows("begun").await;
    terminal.enter("/status");
    terminal.shows("answers 'hold'").await;
    terminal.enter("/cancel");
    terminal.shows("✗ cancelled").await;
    terminal.enter("/cancel");
    terminal.shows("there is nothing to cancel").await;

    hive.drop_task("TASK-7.md", "hold");
    agent.api().until_is("TASK-7", "running").await;
    hive.drop_task("TASK-8.md", "hold");
    agent.api().until_is("TASK-8", "queued").await;
    terminal.enter("/tasks");
    terminal.shows("TASK-8  P2").await;
    terminal.enter("/cancel TASK-8");
    terminal.shows("TASK-8 is cancelled").await;
    terminal.enter("/interrupt");
    agent.api().until_is("TASK-7", "cancelled").await;

    terminal.press("\x0c");
    terminal.enter("/help");
    terminal.shows("/pause [REASON]").await;
    terminal.enter("/stauts");
    // What was typed stays, and the answer is below it.
    terminal.shows("> /stauts\nthere is no /stauts; did you mean /status?").await;
    terminal.enter("//etc is a directory");
    terminal.shows("you said: /etc is a directory").await;
    terminal.press("/qui\t");
    terminal.shows("> /quit").await;
    terminal.press(ENTER);
    assert_eq!(terminal.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_chosen() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let terminal = chat(&hive).await;
    terminal.enter("/session review");
    terminal.shows("going on with the session review").await;
    terminal.enter("one");
    idle(&terminal).await;
    terminal.enter("/new");
    terminal.shows("a new conversation begins").await;
    terminal.enter("two");
    idle(&terminal).await;
    let mut sessions = Vec::new();
    for entry in agent.api().entries("kind=prompt").await {
        let id = entry["entry_id"].as_str().expect("an id").to_owned();
        sessions.push(hive.answer(&id).await.header.session.expect("a session"));
    }
    assert_eq!(sessions[0], "review");
    assert!(sessions[1].starts_with("session-"), "{sessions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn markdown_is_rendered_and_control_sequences_are_not_obeyed() {
    let hive = Hive::exec("cat answer", "");
    let answer = "# Title\nA **heavy** word.\n\n```\n**code**\n```\n\x1b[2J\x1b]0;evil\x07|a|\n|-|\n|b|\n";
    std::fs::write(hive.root().join("answer"), answer).expect("a file can be written");
    let _agent = Agent::start(&hive).await;
    let terminal = chat(&hive).await;
    terminal.enter("show");
    terminal.shows("✓").await;
    let screen = terminal.screen();
    assert!(screen.contains("\nTitle\nA heavy word.\n"), "{screen}");
    assert!(terminal.is_bold("heavy") && !terminal.is_bold("word."), "{screen}");
    assert!(screen.contains("\n**code**\n") && screen.contains("\\x1b[2J\\x1b]0;evil\\x07"), "{screen}");
    let sent = terminal.sent();
    assert!(!sent.contains("\x1b[2J") && !sent.contains("\x1b]0;"), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_utf_8_a_chat_is_ascii() {
    let hive = Hive::echo(20, "");
    let _agent = Agent::start(&hive).await;
    let terminal = chat_in(&hive, &[("LANG", "C")]).await;
    terminal.enter("- one\n- two");
    terminal.shows("BOT-002 answers - ").await;
    terminal.shows("\n+ ").await;
    assert!(terminal.sent().is_ascii(), "{}", terminal.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_color_means_neither_colours_nor_weights() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    let terminal = chat_in(&hive, &[("NO_COLOR", "1")]).await;
    terminal.enter("a **heavy** word and `code`");
    terminal.shows("\na heavy word and code\n").await;
    let sent = terminal.sent();
    let styles: Vec<_> =
        sent.split("\x1b[").filter_map(|rest| rest.split_once('m')).map(|(code, _)| code).collect();
    let is_style = |code: &&&str| code.chars().all(|c| c.is_ascii_digit() || c == ';');
    assert!(styles.iter().find(is_style).is_none(), "{styles:?}");
}

/// How a chat ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Key,
    Signal(Signal),
    Panic,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_as_before_however_the_chat_ends() {
    for (end, expected) in [
        (End::Key, "status 0"),
        (End::Signal(Signal::SIGTERM), "status 130"),
        (End::Signal(Signal::SIGINT), "status 130"),
        (End::Signal(Signal::SIGHUP), "status 130"),
        (End::Panic, "status 101"),
    ] {
        let hive = Hive::echo(20, "");
        let agent = Agent::start(&hive).await;
        let program = match end {
            End::Panic => format!("{} 'trap in the middle'", hive_tests::binary("panicking_chat").display()),
            End::Key | End::Signal(_) => format!("{} chat BOT-002", hive_tests::binary("hivectl").display()),
        };
        // Job control gives the terminal to it, and its number to us.
        let script =
            format!("{program} & echo $! > child; fg >/dev/null; echo status $?; read -r; stty -a; read -r");
        let mut terminal = Terminal::start(&hive, "bash", &["-mc", &script], &[("RUST_BACKTRACE", "0")]);
        terminal.shows("/help tells the rest").await;
        terminal.enter(&counted(100));
        terminal.shows("BOT-002 answers").await;
        match end {
            End::Key => {
                terminal.press(CTRL_D);
                terminal.shows("Ctrl-D again leaves").await;
                terminal.press(CTRL_D);
            }
            End::Signal(signal) => {
                let pid = hive.work_file("child").trim().parse().expect("a number");
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("it runs");
            }
            End::Panic => terminal.press("a trap in the middle"),
        }
        terminal.shows(expected).await;
        assert!(terminal.is_as_before(), "{end:?}: {:?}\n{}", terminal.cursor(), terminal.screen());
        if let End::Panic = end {
            let rows = terminal.screen();
            assert!(rows.lines().any(|row| row.starts_with("thread 'main' ")), "{rows}");
            assert!(rows.contains("the trap is sprung"), "{rows}");
        }
        terminal.press(ENTER);
        terminal.shows("-extproc").await;
        // Not before: what a terminal holds when its last program ends may be lost.
        terminal.press(ENTER);
        assert!(terminal.ended().await.success());
        let screen = terminal.screen();
        for setting in ["icanon", "echo", "isig", "icrnl", "opost"] {
            assert!(screen.split_whitespace().any(|word| word == setting), "{end:?}: no {setting}\n{screen}");
        }
        drop(agent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_may_change_its_size() {
    let hive = Hive::echo(8, "");
    let _agent = Agent::start(&hive).await;
    // It cuts off what has no room, as xterm does.
    let terminal = chat_in(&hive, &[("XTERM_VERSION", "XTerm(390)")]).await;
    let said = counted(200);
    terminal.enter(&said);
    terminal.until("the answer comes", |screen| screen.matches("w60 ").nth(1).map(drop)).await;
    terminal.resize(24, 120);
    terminal.press("typed");
    terminal.shows("> typed").await;
    terminal.resize(12, 120);
    terminal.shows("> typed").await;
    terminal.until("the answer is over", |screen| screen.ends_with("\n\n> typed").then_some(())).await;
    let shown = words(&terminal);
    assert_eq!(shown.matches(&said).count(), 2, "{}", terminal.history());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_does_not_chat_or_is_down_is_told() {
    let hive = Hive::echo(0, "mode = \"cli-only\"");
    let mut agent = Agent::start(&hive).await;
    let mut terminal = Terminal::hivectl(&hive, &["chat", "BOT-002"]);
    assert_eq!(terminal.ended().await.code(), Some(7));
    terminal.shows("hint: 'hivectl submit BOT-002 TEXT --follow'").await;
    agent.terminate();
    agent.ended().await;
    let mut terminal = Terminal::hivectl(&hive, &["chat", "BOT-002"]);
    assert_eq!(terminal.ended().await.code(), Some(3));
    terminal.shows("BOT-002 is down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_cannot_be_redrawn_has_plain_lines() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    let program = hive_tests::binary("hivectl");
    let mut terminal = Terminal::start(&hive, program, &["chat", "BOT-002"], &[("TERM", "dumb")]);
    terminal.shows(">").await;
    terminal.enter("hello **there**");
    terminal
        .until("it is answered", |screen| screen.trim_end().ends_with("\nhello **there**\n>").then_some(()))
        .await;
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended().await.code(), Some(0));
    assert!(!terminal.sent().contains('\x1b'), "{:?}", terminal.sent());
}

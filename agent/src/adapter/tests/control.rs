//! A command that is suspended, resumed or ended, with all its descendants.

use super::*;

/// Counts, with a new process for each number, beside a descendant in a session of its own that does the same.
const COUNTER: &str = r#"
    count() { i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo "$1 $i"; /bin/true; done; }
    if [ "$1" = apart ]; then count apart; exit; fi
    setsid sh -c "$0" "$0" apart & count here; wait
"#;

#[tokio::test]
async fn a_suspended_run_stands_still_and_then_loses_and_repeats_nothing() {
    let mut exec = sh(COUNTER);
    exec.command.push(COUNTER.to_owned());
    let mut subject = start(exec, "");
    for number in [1, 40, 90] {
        subject.said_line(&format!("here {number}")).await;
        subject.said_line(&format!("apart {number}")).await;
        subject.suspended().await;
        let states = states(&subject.run_id);
        // A parent in vfork stays in D until its stopped child goes on.
        assert!(states.len() >= 2 && states.chars().all(|state| "TD".contains(state)), "{states}");
        subject.run.control(Control::Suspend);
        subject.run.control(Control::Resume);
    }
    assert_eq!(subject.ended().await, Ok(()));
    let text = subject.text();
    for side in ["here", "apart"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(side)).collect();
        let all: Vec<String> = (1..=200).map(|i| format!("{side} {i}")).collect();
        assert_eq!(lines, all);
    }
}

#[tokio::test]
async fn suspending_and_resuming_in_quick_succession_is_harmless() {
    let mut subject = start(sh("echo ready; read -r line; echo $line"), "word\n");
    for _ in 0..50 {
        subject.run.control(Control::Suspend);
        subject.run.control(Control::Resume);
    }
    let result = loop {
        match subject.report().await {
            Report::Ended(outcome) => break outcome.result,
            Report::Suspended => {}
            other @ (Report::HeldUp(_) | Report::Asked(_) | Report::Unasked(_) | Report::Session(_)) => {
                panic!("{other:?}")
            }
        }
    };
    assert_eq!((result, subject.text().as_str()), (Ok(()), "ready\nword\n"));
}

#[tokio::test]
async fn a_command_that_starts_over_is_gone_while_it_is_suspended() {
    let mut exec = sh("echo x >> starts
        case $(wc -l < starts) in 1) echo first; setsid sleep 1000; esac
        cat");
    exec.on_preempt = OnPreempt::Restart;
    let mut subject = start(exec.clone(), "second");
    subject.said_line("first").await;
    subject.suspended().await;
    assert_eq!(states(&subject.run_id), "");
    assert_eq!(subject.text(), "first\n", "what was said stays until it starts over");
    subject.run.control(Control::Suspend);
    subject.run.control(Control::Resume);
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "second");

    let mut subject = start(exec, "");
    subject.said_line("first").await;
    subject.suspended().await;
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await.unwrap_err().code, code::CANCELLED);
}

#[tokio::test]
async fn cancel_asks_the_command_to_end() {
    let mut subject = start(sh("trap 'echo bye; exit 0' TERM; sleep 1000 & echo ready; wait"), "");
    subject.said_line("ready").await;
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "ready\nbye\n");
}

#[tokio::test]
async fn cancel_reaches_a_suspended_command() {
    let mut subject = start(sh("trap 'echo bye; exit 7' TERM; sleep 1000 & echo ready; wait"), "");
    subject.said_line("ready").await;
    subject.suspended().await;
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await.unwrap_err().message, "exited with status 7");
}

#[tokio::test]
async fn terminate_reaches_a_session_of_its_own() {
    let script = "trap : TERM; setsid sh -c 'echo $$; exec sleep 1000' & wait; wait; echo over";
    let mut subject = start(sh(script), "");
    let pid = subject.said(|line| Some(line.to_owned())).await;
    subject.run.control(Control::Terminate);
    assert_eq!(subject.ended().await, Ok(()));
    assert!(!is_alive(&pid));
    assert!(subject.text().ends_with("over\n"));
}

#[tokio::test]
async fn kill_reaches_all_descendants() {
    // One ignores the signal, one has a session of its own and one hides where it came from.
    let script = "trap '' TERM; sleep 1000 & echo $!; setsid sleep 1000 & echo $!
        setsid env -i sleep 1000 & echo $!; echo ready; wait; sleep 1000";
    for suspend_first in [false, true] {
        let mut subject = start(sh(script), "");
        subject.said_line("ready").await;
        if suspend_first {
            subject.suspended().await;
        } else {
            subject.run.control(Control::Cancel);
            subject.run.control(Control::Terminate);
        }
        subject.run.control(Control::Kill);
        subject.run.control(Control::Kill);
        assert_eq!(subject.ended().await.unwrap_err().code, code::SIGNALLED);
        let text = subject.text();
        let pids: Vec<&str> = text.lines().take(3).collect();
        assert!(pids.iter().all(|pid| !is_alive(pid)), "{pids:?}");
    }
}

#[tokio::test]
async fn dropping_a_run_kills_it() {
    let subject = start(sh("trap '' TERM; echo ready; while :; do sleep 1000; done"), "");
    subject.said_line("ready").await;
    let Subject { run, mut reports, .. } = subject;
    drop(run);
    let Some(Report::Ended(outcome)) = timeout(PATIENCE, reports.recv()).await.unwrap() else { panic!() };
    assert_eq!(outcome.result.unwrap_err().code, code::SIGNALLED);
}

//! The job that README.md shows, run as it stands there.

use std::process::Stdio;

use hive_tests::{Agent, Hive, Ran, binary, ctl, finish};
use tokio::process::{Child, Command};

use crate::scripts::AGENT;

const README: &str = include_str!("../../README.md");

/// The block of README.md that is a whole script.
fn script() -> &'static str {
    let begin = README.find("```sh\n#!/bin/sh\n").expect("README.md has a script") + "```sh\n".len();
    let length = README[begin..].find("\n```").expect("the block ends");
    &README[begin..=begin + length]
}

/// The script with a commit to review, as CI runs it: hivectl is on the PATH, and `CI` is set.
fn job(hive: &Hive, commit: &str, more: &[(&str, &str)]) -> Child {
    let file = hive.root().join("review.sh");
    std::fs::write(&file, script()).expect("a file can be written");
    let program = binary("hivectl");
    let ours = program.parent().expect("a directory").display();
    let path = format!("{ours}:{}", std::env::var("PATH").expect("a PATH"));
    let mut shell = Command::new("sh");
    shell
        .arg(file)
        .env_clear()
        .envs([("PATH", path.as_str()), ("CI", "true"), ("GIT_SHA", commit)])
        .envs(more.iter().copied())
        .env("HOME", hive.home())
        .current_dir(hive.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    shell.spawn().expect("a shell")
}

async fn run(hive: &Hive, commit: &str, more: &[(&str, &str)]) -> Ran {
    finish(job(hive, commit, more)).await
}

#[tokio::test]
async fn the_job_of_the_readme_ends_as_the_review_does() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let done = run(&hive, "c0ffee", &[]).await.expect(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("you said: Review the changes of c0ffee.", ""));
    // Run again, it asks once.
    let again = run(&hive, "c0ffee", &[]).await.expect(0);
    assert_eq!((again.out, again.err.as_str()), (done.out, "hivectl: review-c0ffee was submitted before\n"));
    assert_eq!(hive.work_file("ran.txt"), "review-c0ffee\n");

    let failed = run(&hive, "fail", &[]).await.expect(1);
    assert!(failed.out.is_empty() && failed.err.ends_with("of it:\nsome\n"), "{failed:?}");

    let late = run(&hive, "hold-1", &[("PATIENCE", "1s")]).await.expect(5);
    assert!(late.out.is_empty() && late.err.contains("no review within 1s"), "{late:?}");
    agent.api().until_is("review-hold-1", "cancelled").await;

    let cancelled = job(&hive, "hold-2", &[]);
    agent.api().until_is("review-hold-2", "running").await;
    ctl(&hive, &["cancel", "review-hold-2"]).await.expect(0);
    let cancelled = finish(cancelled).await.expect(6);
    assert!(cancelled.err.contains("somebody cancelled"), "{cancelled:?}");

    // An id that is in use for something else is refused by submit itself.
    ctl(&hive, &["submit", "BOT-002", "something else", "--id", "review-beef"]).await.expect(0);
    assert!(run(&hive, "beef", &[]).await.expect(7).err.contains("choose another --id"));
    run(&hive, "feed", &[("BOT", "BOT-999")]).await.expect(4);
}

#[tokio::test]
async fn the_job_of_the_readme_works_from_another_machine() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let elsewhere = Hive::new("");
    let remote = |token| [("HIVE_URL", agent.record().url.as_str()), ("HIVE_TOKEN", token)];
    let token = agent.token();
    let done = run(&elsewhere, "c0ffee", &remote(token.trim())).await.expect(0);
    assert_eq!(done.out, "you said: Review the changes of c0ffee.");
    run(&elsewhere, "c0ffee", &remote("wrong")).await.expect(8);
}

#[tokio::test]
async fn the_job_of_the_readme_says_that_the_bot_is_down() {
    let hive = Hive::exec(AGENT, "");
    let down = run(&hive, "c0ffee", &[]).await.expect(3);
    assert!(down.out.is_empty() && down.err.contains("the review waits for its next start"), "{down:?}");
    let _agent = Agent::start(&hive).await;
    let done = run(&hive, "c0ffee", &[]).await.expect(0);
    assert_eq!(done.out, "you said: Review the changes of c0ffee.");
}

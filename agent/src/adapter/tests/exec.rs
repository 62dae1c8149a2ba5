//! A command: what goes in, what comes out, and how it ends.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[tokio::test]
async fn the_instruction_goes_in_and_all_output_comes_out() {
    let instruction = "zeile €\n".repeat(100_000);
    let mut subject = start(sh("cat"), &instruction);
    assert_eq!(subject.ended().await, Ok(()));
    assert!(subject.text() == instruction);
}

#[tokio::test]
async fn a_command_that_does_not_read_is_no_error() {
    let mut subject = start(sh("echo done"), &"x".repeat(1024 * 1024));
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "done\n");
}

#[tokio::test]
async fn an_argument_can_take_the_instruction() {
    let mut exec = sh(r#"printf '<%s>' "$@"; cat"#);
    exec.command.extend(["sh", "{prompt}", "not {prompt}", "{prompt}"].map(str::to_owned));
    let mut subject = start(exec, "a 'b' $c\n");
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "<a 'b' $c\n><not {prompt}><a 'b' $c\n>");
}

#[tokio::test]
async fn the_first_output_comes_at_once_and_a_split_character_stays_whole() {
    let mut subject = start(
        sh(r"echo first; printf 'a\342\202'; while [ ! -e go ]; do sleep 0.01; done; printf '\254b\377'"),
        "",
    );
    subject.said_line("first").await;
    until("all but the split character", || subject.text().ends_with('a')).await;
    fs::write(subject.dir.path().join("go"), "").unwrap();
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "first\na€b\u{FFFD}");
}

#[tokio::test]
async fn a_flood_is_cut() {
    let mut subject = start(sh("head -c 50000000 /dev/zero | tr '\\0' x; head -c 1000000 /dev/zero >&2"), "");
    assert_eq!(subject.ended().await, Ok(()));
    let (text, is_cut) = subject.turn.text();
    assert!(is_cut && text.len() == MAX_OUTPUT);
}

#[tokio::test]
async fn the_end_of_the_command_decides() {
    let mut subject = start(sh("echo partial; echo why >&2; exit 3"), "");
    let failure = subject.ended().await.unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (code::EXIT_STATUS, "exited with status 3: why"));
    assert_eq!(subject.text(), "partial\n");

    let failure = start(sh("kill -SEGV $$"), "").ended().await.unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (code::SIGNALLED, "ended by signal 11 (SIGSEGV)"));
}

#[tokio::test]
async fn a_command_that_does_not_start_tells_a_person_why() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("plain"), "text").unwrap();
    fs::write(dir.path().join("orphaned"), "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(dir.path().join("orphaned"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().to_owned();
    let cases: [(&[&str], &str, &str); 7] = [
        (&[], "", "no command is set"),
        (&["no-such-agent"], "", "'no-such-agent' was not found in PATH"),
        (&["./no-such-agent"], "", "there is no './no-such-agent'"),
        (&["./plain"], "", "'./plain' is not executable"),
        (&["./orphaned"], "", "the interpreter that its first line names is not there"),
        (&["echo", "{prompt}"], "a\0b", "leave {prompt} out"),
        (&["echo", "{prompt}"], &"x".repeat(1024 * 1024), "leave {prompt} out"),
    ];
    let mut dir = dir;
    for (command, instruction, message) in cases {
        let command = command.iter().map(ToString::to_string).collect();
        let exec = Exec { command, env: BTreeMap::new(), on_preempt: OnPreempt::Restart };
        let mut subject = start_as(Source::Chat, dir, exec, instruction);
        let failure = subject.ended().await.unwrap_err();
        assert_eq!(failure.code, code::ADAPTER_UNAVAILABLE);
        assert!(failure.message.contains(message), "{failure}");
        dir = subject.dir;
    }
    fs::remove_dir_all(path).unwrap();
    let failure = start_as(Source::Chat, dir, sh("true"), "").ended().await.unwrap_err();
    assert_eq!(failure.code, code::ADAPTER_UNAVAILABLE);
    assert!(failure.message.contains("working directory"), "{failure}");
}

#[tokio::test]
async fn a_task_whose_command_does_not_start_is_held_up_until_it_does_and_gives_way_meanwhile() {
    let exec = |words: &[&str]| {
        let command = words.iter().map(ToString::to_string).collect();
        Exec { command, env: BTreeMap::new(), on_preempt: OnPreempt::Suspend }
    };
    let mut subject = start(exec(&["./agent"]), "");
    let held_up = |report: Report| match report {
        Report::HeldUp(Some(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(held_up(subject.report().await).contains("there is no './agent'"));
    subject.run.control(Control::Suspend);
    assert_eq!(subject.report().await, Report::Suspended);
    let path = subject.dir.path().join("agent");
    fs::write(&path, "#!/bin/sh\necho here\n").unwrap();
    subject.run.control(Control::Resume);
    // It is there, and may not be run yet.
    assert!(held_up(subject.report().await).contains("is not executable"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(subject.report().await, Report::HeldUp(None));
    assert_eq!(subject.ended().await, Ok(()));
    assert_eq!(subject.text(), "here\n");

    let mut subject = start(exec(&["./agent"]), "");
    assert!(matches!(subject.report().await, Report::HeldUp(Some(_))));
    subject.run.control(Control::Cancel);
    assert_eq!(subject.ended().await.unwrap_err().code, code::CANCELLED);
    // An instruction that cannot be given is the task's own fault.
    let failure = start(exec(&["echo", "{prompt}"]), "a\0b").ended().await.unwrap_err();
    assert!(failure.message.contains("leave {prompt} out"), "{failure}");
}

#[tokio::test]
async fn the_environment_names_the_run_and_has_no_token() {
    let mut exec = sh("env; pwd -P");
    let env = [("HIVE_TOKEN", "secret"), ("HIVE_RUN_ID", "forged"), ("COLOUR", "blue")];
    exec.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut subject = start(exec, "");
    assert_eq!(subject.ended().await, Ok(()));
    let text = subject.text();
    let lines: Vec<&str> = text.lines().collect();
    let run_id = format!("HIVE_RUN_ID={}", subject.run_id);
    for line in ["HIVE_BOT_ID=BOT-002", "HIVE_TASK_ID=TASK-1", &run_id, "COLOUR=blue"] {
        assert!(lines.contains(&line), "{line} is not in {text}");
    }
    assert!(!text.contains("HIVE_TOKEN") && !text.contains("secret"));
    assert_eq!(lines.last(), fs::canonicalize(&subject.dir).unwrap().to_str().as_ref());
}

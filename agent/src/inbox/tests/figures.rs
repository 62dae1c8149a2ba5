//! Figures, not rules: `cargo test --release -p hive-agent inbox -- --ignored --nocapture figures`.
#![allow(clippy::print_stderr, reason = "the figures are what these are run for")]

use std::time::Instant;

use super::*;

/// The most memory that this process had so far.
fn megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

fn text(i: usize) -> String {
    format!("# Task {i}\n\n**Priority:** P2\n\n{}\n", "Do what is to be done. ".repeat(20))
}

#[test]
#[ignore = "measures"]
fn figures_of_one_file() {
    let nest = Nest::new();
    let mut took: Vec<Duration> = (0..1_000)
        .map(|i| {
            let from = nest.elsewhere(&text(i));
            let dropped = Instant::now();
            fs::rename(from, nest.path(&format!("{i}.md"))).unwrap();
            nest.next_seen(&format!("{i}.md"));
            dropped.elapsed()
        })
        .collect();
    took.sort();
    eprintln!("rename-in to event: median {:?}, p99 {:?}, worst {:?}", took[500], took[990], took[999]);
}

#[test]
#[ignore = "measures"]
fn figures_of_a_hundred_thousand_files_found() {
    let nest = Nest::prepare();
    for i in 0..100_000 {
        nest.old_file(&format!("{i:06}.md"), &text(i));
    }
    let (tx, rx) = mpsc::channel();
    let before = megabytes();
    let started = Instant::now();
    let events = move |event| if tx.send(event).is_ok() { Flow::Continue } else { Flow::Stop };
    let reader = documents::reader(nest.config().bot, Vec::new(), jiff::tz::TimeZone::UTC);
    let inbox = start(nest.config(), reader, events).unwrap();
    assert_eq!(rx.recv_timeout(PATIENCE), Ok(InboxEvent::Controls));
    // While the scan goes on, files are dropped.
    let mut dropped = HashMap::new();
    let mut worst = Duration::ZERO;
    let mut files = 0;
    let mut first = None;
    loop {
        if dropped.is_empty() {
            let name = format!("dropped-{files}-{}.md", started.elapsed().as_nanos());
            let from = nest.elsewhere("dropped");
            dropped.insert(name.clone(), Instant::now());
            fs::rename(from, nest.path(&name)).unwrap();
        }
        match rx.recv_timeout(PATIENCE).unwrap() {
            InboxEvent::Seen(seen) => {
                for file in seen {
                    if let Some(at) = dropped.remove(&file.name) {
                        worst = worst.max(at.elapsed());
                    } else {
                        files += 1;
                        first.get_or_insert_with(|| started.elapsed());
                    }
                }
            }
            InboxEvent::ScanDone { .. } => break,
            other => eprintln!("{other:?}"),
        }
    }
    eprintln!(
        "{files} files found: {:?} (first told after {:?}, a dropped one within {worst:?}), {} MB more",
        started.elapsed(),
        first.unwrap(),
        megabytes() - before
    );
    let again = Instant::now();
    inbox.rescan();
    while !matches!(rx.recv_timeout(PATIENCE).unwrap(), InboxEvent::ScanDone { .. }) {}
    eprintln!("scan again, nothing new: {:?}", again.elapsed());
}

#[test]
#[ignore = "measures"]
fn figures_of_a_hundred_thousand_files_dropped() {
    let nest = Nest::new();
    let source = nest.dir.path().join("source");
    fs::create_dir(&source).unwrap();
    for i in 0..100_000 {
        fs::write(source.join(format!("{i:06}.md")), text(i)).unwrap();
    }
    let before = megabytes();
    let started = Instant::now();
    for i in 0..100_000 {
        let name = format!("{i:06}.md");
        fs::rename(source.join(&name), nest.path(&name)).unwrap();
    }
    let renamed = started.elapsed();
    let mut told = std::collections::HashSet::new();
    let mut scans = 0;
    while told.len() < 100_000 {
        match nest.next() {
            InboxEvent::Seen(files) => {
                for file in files {
                    assert!(told.insert(file.name), "told twice");
                }
            }
            other => scans += usize::from(matches!(other, InboxEvent::ScanDone { .. })),
        }
    }
    let (all, more) = (started.elapsed(), megabytes() - before);
    eprintln!(
        "100000 files renamed in within {renamed:?}: told after {all:?}, {scans} scans, {more} MB more (texts kept)"
    );
    let asleep = wake_ups();
    std::thread::sleep(Duration::from_secs(3));
    eprintln!("idle for 3 s: {} wake-ups of the inbox", wake_ups() - asleep);
}

/// How often the inbox and its watcher were woken so far.
fn wake_ups() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let ours = tasks.filter(|task| {
        let name = fs::read_to_string(task.join("comm")).unwrap();
        name.starts_with("inbox\n") || name.starts_with("notify-rs")
    });
    ours.map(|task| {
        let status = fs::read_to_string(task.join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    })
    .sum()
}

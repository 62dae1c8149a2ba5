//! The one timeline of all that happened: pages, filters and followers (SPEC 8).

use std::collections::BTreeSet;
use std::fs;

use hive_tests::{Agent, Api, ChatSocket, Hive};
use serde_json::{Value, json};

use crate::followed::Followed;
use crate::scripts::AGENT;

/// The ids of entries.
fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["entry_id"].as_str().expect("an id")).collect()
}

/// A field of entries.
fn all<'a>(entries: &'a [Value], field: &str) -> BTreeSet<&'a str> {
    entries.iter().map(|entry| entry[field].as_str().expect("text")).collect()
}

fn seqs(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["seq"].as_u64().expect("a number")).collect()
}

fn rises<T: PartialOrd>(values: &[T]) -> bool {
    values.is_sorted_by(|one, next| one < next)
}

/// A bot that has done some of everything: tasks that ended well and badly, a chat, a pause.
async fn eventful() -> (Hive, Agent, Api) {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    hive.drop_task("GOOD-1.md", "# Polish the brass\n**Priority:** P1\n\nshine, please");
    hive.answer("GOOD-1").await;
    hive.drop_task("BAD-1.md", "fail");
    hive.answer("BAD-1").await;
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "how is the brass?").await;
    chat.turn("CHAT-1").await;
    api.post("pause", json!({"reason": "lunch"})).await.ok();
    hive.drop_task("WAIT-1.md", "words for later");
    api.until_is("WAIT-1", "queued").await;
    api.delete("tasks/WAIT-1").await.ok();
    api.act("resume").await.ok();
    (hive, agent, api)
}

#[tokio::test]
async fn files_chats_and_control_acts_are_in_one_view_with_their_sources() {
    let (_hive, _agent, api) = eventful().await;
    let page = api.get("timeline").await.ok();
    let entries = page["entries"].as_array().unwrap();
    assert_eq!(page["bot_id"], "BOT-002");
    assert!(page["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()));
    assert_eq!((&page["total_entries"], &page["has_more"]), (&json!(entries.len()), &json!(false)));
    assert_eq!(page["last_seq"].as_u64(), seqs(entries).into_iter().max());
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| {
            let field = |name: &str| entry[name].as_str().unwrap_or("").to_owned();
            let name = if entry["source"] == "control" { field("title") } else { field("entry_id") };
            (name, field("source"), field("kind"), field("status"))
        })
        .collect();
    let expected = [
        ("started", "control", "control", "completed"),
        ("GOOD-1", "file", "task", "completed"),
        ("BAD-1", "file", "task", "failed"),
        ("CHAT-1", "chat", "prompt", "completed"),
        ("CHAT-1-reply", "chat", "reply", "completed"),
        ("paused", "control", "control", "completed"),
        ("WAIT-1", "file", "task", "cancelled"),
        ("resumed", "control", "control", "completed"),
    ];
    let expected = expected.map(|(name, source, kind, status)| {
        (name.to_owned(), source.to_owned(), kind.to_owned(), status.to_owned())
    });
    assert_eq!(shown, expected);
    for entry in entries {
        assert_eq!(entry["bot_id"], "BOT-002");
        assert!(entry["timestamp"].as_str() <= entry["updated_at"].as_str(), "{entry}");
        assert_eq!(
            entry["source"] == "file",
            entry["task_id"].is_string(),
            "a file task has a task_id: {entry}"
        );
        if entry["source"] == "chat" {
            assert!(entry["sender"].is_string(), "a chat entry has a sender: {entry}");
        }
    }
    let timestamps: Vec<_> = entries.iter().map(|entry| entry["timestamp"].as_str().unwrap()).collect();
    assert!(timestamps.is_sorted(), "{timestamps:?}");
    let [_, good, bad, prompt, reply, ..] = entries.as_slice() else { panic!("{entries:#?}") };
    assert_eq!(
        (&good["title"], &good["priority"], &good["success"]),
        (&json!("Polish the brass"), &json!("P1"), &json!(true))
    );
    assert!(good["content"].as_str().unwrap().starts_with("you said: "), "{good}");
    assert_eq!((&bad["success"], &bad["error_code"]), (&json!(false), &json!("exit_status")));
    assert_eq!((&prompt["sender"], &prompt["sender_type"]), (&json!("dave"), &json!("user")));
    assert_eq!(prompt["content"], "how is the brass?");
    assert_eq!(
        (&reply["sender_type"], &reply["content"]),
        (&json!("bot"), &json!("you said: how is the brass?"))
    );
    assert_eq!(reply["response_file"], "CHAT-1-response.md");
}

#[tokio::test]
async fn filters_choose_by_source_kind_status_words_and_time() {
    let (_hive, _agent, api) = eventful().await;
    let every = api.entries("").await;
    for field in ["source", "kind", "status"] {
        for value in all(&every, field) {
            let found = api.entries(&format!("{field}={value}")).await;
            let expected: Vec<_> = every.iter().filter(|entry| entry[field] == value).cloned().collect();
            assert_eq!(found, expected, "{field}={value}");
        }
    }
    for (query, expected) in [
        ("source=file&status=completed", vec!["GOOD-1"]),
        ("source=chat&kind=reply", vec!["CHAT-1-reply"]),
        ("source=file&kind=reply", vec![]),
        ("status=suspended", vec![]),
        ("q=brass", vec!["GOOD-1", "CHAT-1", "CHAT-1-reply"]),
        ("q=BRASS", vec!["GOOD-1", "CHAT-1", "CHAT-1-reply"]),
        ("q=brass&source=file", vec!["GOOD-1"]),
        ("q=brass+polish", vec!["GOOD-1"]),
        ("q=brass&kind=reply&status=completed", vec!["CHAT-1-reply"]),
        ("q=no-such-word", vec![]),
        ("q=%22brass+OR+%28*", vec![]),
        ("q=dave&kind=prompt", vec!["CHAT-1"]),
        ("q=GOOD-1", vec!["GOOD-1"]),
        ("source=file&limit=1", vec!["WAIT-1"]),
        ("status=failed&q=fail", vec!["BAD-1"]),
    ] {
        assert_eq!(ids(&api.entries(query).await), expected, "{query}");
    }
    // `since` is counted in, `until` is not.
    let middle = every[3]["timestamp"].as_str().unwrap();
    assert_eq!(api.entries(&format!("since={middle}")).await, every[3..]);
    assert_eq!(api.entries(&format!("until={middle}")).await, every[..3]);
    let (from, to) = (every[1]["timestamp"].as_str().unwrap(), every[6]["timestamp"].as_str().unwrap());
    assert_eq!(api.entries(&format!("since={from}&until={to}")).await, every[1..6]);
    let found = api.entries(&format!("since={from}&until={to}&source=file&status=failed")).await;
    assert_eq!(ids(&found), ["BAD-1"]);
    assert_eq!(api.entries("since=2999-01-01T00:00:00Z").await, [] as [Value; 0]);
    assert_eq!(api.entries("until=1999-01-01T00:00:00Z").await, [] as [Value; 0]);
}

/// Follows `before` from the newest page to the oldest.
async fn page_back(api: &Api, query: &str, limit: usize) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("timeline?{query}&limit={limit}{cursor}")).await.ok();
        let mut older = page["entries"].as_array().expect("a list").clone();
        assert!(older.len() <= limit);
        assert!(older.len() == limit || page["has_more"] == false, "{page}");
        older.append(&mut entries);
        entries = older;
        if page["has_more"] == false {
            return entries;
        }
        cursor = format!("&before={}", page["before"].as_str().expect("text"));
    }
}

#[tokio::test]
async fn pages_lead_back_without_a_gap_or_a_repeat_even_while_more_comes() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    for n in 0..30 {
        api.submit(json!({"instruction": format!("words {}", n % 2), "id": format!("PAGE-{n}")})).await;
    }
    api.until_status("all are done", |status| status["counts"]["completed"] == 30).await;
    let every = api.entries("limit=1000").await;
    for limit in [1, 2, 7, 31, 1000] {
        assert_eq!(page_back(&api, "source=file", limit).await, every[1..], "{limit}");
    }
    let odd: Vec<_> = every.iter().filter(|entry| entry["content"] == "words 1").cloned().collect();
    assert_eq!(odd.len(), 15);
    assert_eq!(page_back(&api, "q=words+1&kind=task&status=completed", 4).await, odd);

    // What comes in the meantime is not on older pages, and shifts nothing.
    let newest = api.get("timeline?limit=10").await.ok();
    for n in 30..40 {
        api.submit(json!({"instruction": "more", "id": format!("PAGE-{n}")})).await;
    }
    let before = newest["before"].as_str().unwrap();
    let older = api.get(&format!("timeline?limit=10&before={before}")).await.ok();
    assert_eq!(older["entries"].as_array().unwrap(), &every[11..21]);
    assert_eq!((&older["has_more"], newest["entries"].as_array().unwrap().len()), (&json!(true), 10));
}

#[tokio::test]
async fn after_seq_gives_what_changed_since_each_entry_once_in_its_latest_state() {
    let (hive, agent, api) = eventful().await;
    let first = api.get("timeline?after_seq=0&limit=1000").await.ok();
    let entries = first["entries"].as_array().unwrap();
    assert!(rises(&seqs(entries)), "{:?}", seqs(entries));
    assert_eq!(first["last_seq"].as_u64(), seqs(entries).last().copied());
    assert_eq!(entries.len(), api.entries("").await.len());
    // In small pages it is the same.
    let (mut at, mut read) = (0, Vec::new());
    loop {
        let page = api.get(&format!("timeline?after_seq={at}&limit=3")).await.ok();
        read.extend(page["entries"].as_array().unwrap().clone());
        at = page["last_seq"].as_u64().unwrap();
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(&read, entries);

    assert_eq!(api.entries(&format!("after_seq={at}")).await, [] as [Value; 0]);
    hive.drop_task("HOLD-1.md", "hold");
    api.until_is("HOLD-1", "running").await;
    let running = api.entries(&format!("after_seq={at}")).await;
    assert_eq!((ids(&running), &running[0]["status"]), (vec!["HOLD-1"], &json!("running")));
    hive.touch("go");
    hive.answer("HOLD-1").await;
    api.until_ended("HOLD-1").await;
    let ended = api.entries(&format!("after_seq={at}")).await;
    assert_eq!((ids(&ended), &ended[0]["status"]), (vec!["HOLD-1"], &json!("completed")));
    assert!(ended[0]["seq"].as_u64() > running[0]["seq"].as_u64());
    // Who read in between is told again, for it has changed.
    let since = running[0]["seq"].as_u64().unwrap();
    assert_eq!(ids(&api.entries(&format!("after_seq={since}")).await), ["HOLD-1"]);
    drop(agent);
}

#[tokio::test]
async fn a_new_follower_gets_the_last_hundred_and_then_what_comes() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    for n in 0..120 {
        hive.drop_task(&format!("OLD-{n}.md"), "words");
    }
    api.until_status("all are done", |status| status["counts"]["completed"] == 120).await;
    let mut follow = agent.follow("").await;
    let page = api.get("timeline?limit=100").await.ok();
    for field in ["bot_id", "epoch", "entries", "last_seq", "total_entries"] {
        assert_eq!(follow.snapshot[field], page[field], "{field}");
    }
    api.submit(json!({"instruction": "words", "id": "NEW-1"})).await;
    let added = follow.next().await.unwrap();
    assert_eq!((&added["type"], &added["entry"]["entry_id"]), (&json!("entry_added"), &json!("NEW-1")));
    assert!(added["entry"]["seq"].as_u64() > page["last_seq"].as_u64());
}

#[tokio::test]
async fn a_follower_that_is_cut_at_any_moment_reads_on_where_it_was() {
    let hive = Hive::echo(2, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let mut chat = agent.chat().await;
    let mut known = Followed::default();
    let mut follow = known.connect(&agent).await;
    // A fixed sequence of what looks like chance, so that a failure can be had again.
    let mut chance = 0x2545_f491_u64;
    let mut cuts = 0;
    for round in 0..12 {
        for n in 0..3 {
            let id = format!("TASK-{round}-{n}");
            api.submit(json!({"instruction": "one two three four five six", "id": id})).await;
        }
        chat.prompt(&format!("CHAT-{round}"), "a b c d e f g").await;
        for _ in 0..3 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut frames = (chance >> 33) % 12;
            let mut ids = (0..3).map(|n| format!("TASK-{round}-{n}")).collect::<Vec<_>>();
            ids.push(format!("CHAT-{round}-reply"));
            // Once all has ended no more frames come.
            while frames > 0 && ids.iter().any(|id| known.status(id) != "completed") {
                known.take(&follow.next().await.expect("the socket is open"));
                frames -= 1;
            }
            follow = known.connect(&agent).await;
            cuts += 1;
        }
        chat.turn(&format!("CHAT-{round}")).await;
    }
    api.until_status("all are done", |status| status["counts"]["completed"] == 48).await;
    assert_eq!(cuts, 36);
    known.agrees_with(&mut follow, &api).await;
    assert_eq!(known.entries.values().filter(|entry| entry["kind"] == "task").count(), 36);
    for (id, entry) in known.entries.iter().filter(|(_, entry)| entry["kind"] != "control") {
        assert_eq!(entry["status"], "completed", "{id}");
    }
}

#[tokio::test]
async fn followers_at_the_same_time_are_told_the_same() {
    let hive = Hive::echo(1, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let mut followers = Vec::new();
    for _ in 0..5 {
        let mut known = Followed::default();
        let follow = known.connect(&agent).await;
        followers.push((known, follow));
    }
    for n in 0..20 {
        hive.drop_task(&format!("MANY-{n}.md"), "some words");
    }
    api.until_status("all are done", |status| status["counts"]["completed"] == 20).await;
    for (known, follow) in &mut followers {
        known.agrees_with(follow, &api).await;
    }
}

#[tokio::test]
async fn a_follower_that_does_not_read_holds_up_nobody_and_misses_nothing() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let mut known = Followed::that_may_lag();
    let mut follow = known.connect(&agent).await;
    let words = "word ".repeat(10_000);
    for n in 0..300 {
        hive.drop_task(&format!("FLOOD-{n}.md"), &words);
    }
    api.until_status("all are done", |status| status["counts"]["completed"] == 300).await;
    known.agrees_with(&mut follow, &api).await;
}

#[tokio::test]
async fn another_epoch_means_to_start_again() {
    let hive = Hive::echo(0, "");
    let mut agent = Agent::start(&hive).await;
    hive.drop_task("OLD-1.md", "words");
    agent.api().until_ended("OLD-1").await;
    let page = agent.api().get("timeline").await.ok();
    let (epoch, last_seq) = (page["epoch"].as_str().unwrap().to_owned(), page["last_seq"].clone());
    let other = agent.follow(&format!("after_seq={last_seq}&epoch=another")).await;
    assert_eq!(other.snapshot["entries"], page["entries"], "all of it, not what changed since");
    assert_eq!(other.snapshot["epoch"], epoch);
    let same = agent.follow(&format!("after_seq={last_seq}&epoch={epoch}")).await;
    assert_eq!(same.snapshot["entries"], json!([]));

    // Another life is the same timeline.
    agent.terminate();
    agent.ended().await;
    let mut agent = Agent::start(&hive).await;
    assert_eq!(agent.api().get("timeline").await.ok()["epoch"], epoch);
    agent.terminate();
    agent.ended().await;

    // A ledger that was lost is another one, which says so.
    let database = hive.paths().database(hive.bot());
    for name in hive.names_in(database.parent().unwrap()) {
        if name.contains(".db") {
            fs::remove_file(database.with_file_name(name)).unwrap();
        }
    }
    let agent = Agent::start(&hive).await;
    let rebuilt = agent.follow(&format!("after_seq={last_seq}&epoch={epoch}")).await;
    assert_ne!(rebuilt.snapshot["epoch"], epoch);
    let page = agent.api().get("timeline").await.ok();
    assert_eq!(rebuilt.snapshot["entries"], page["entries"]);
    assert_ne!(page["entries"], json!([]));
}

#[tokio::test]
async fn the_content_of_what_runs_grows_to_the_response() {
    let hive = Hive::echo(5, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let words = (0..60).map(|n| format!("wörd-{n}")).collect::<Vec<_>>().join(" ");
    let words = words.as_str();
    let mut known = Followed::default();
    let mut follow = known.connect(&agent).await;
    api.submit(json!({"instruction": words, "id": "GROW-1"})).await;
    // One that comes in the middle has all of it, too.
    known
        .read_until(&mut follow, |known| known.grown.get("GROW-1").is_some_and(|text| text.len() > 100))
        .await;
    let mut late = Followed::default();
    let mut late_follow = late.connect(&agent).await;
    // A page shows what was said so far.
    let page = api.entries("kind=task").await;
    let so_far = page[0]["content"].as_str().unwrap();
    assert!(so_far.len() > 100 && words.starts_with(so_far), "{so_far}");

    for (known, follow) in [(&mut known, &mut follow), (&mut late, &mut late_follow)] {
        known.read_until(follow, |known| known.status("GROW-1") == "completed").await;
        assert_eq!(known.entries["GROW-1"]["content"], words);
        let grown = &known.grown["GROW-1"];
        assert!(words.starts_with(grown.as_str()) && grown.len() > words.len() / 2, "{grown}");
    }
    assert_eq!(hive.response("GROW-1").unwrap().text, words);

    // The reply to a prompt grows in the same way, for those who follow.
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", words).await;
    known.read_until(&mut follow, |known| known.status("CHAT-1-reply") == "completed").await;
    assert_eq!(known.entries["CHAT-1-reply"]["content"], words);
    assert!(words.starts_with(&known.grown["CHAT-1-reply"]), "{}", known.grown["CHAT-1-reply"]);
}

#[tokio::test]
async fn a_content_beyond_the_bound_is_cut_and_says_so() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let words = "é".repeat(40_000);
    hive.drop_task("LONG-1.md", &words);
    assert_eq!(hive.answer("LONG-1").await.text, words);
    agent.api().until_ended("LONG-1").await;
    let entry = &agent.api().entries("kind=task").await[0];
    let content = entry["content"].as_str().unwrap();
    assert!(content.len() <= 64 * 1024 && words.starts_with(content));
    assert_eq!(entry["content_truncated"], true);
}

/// Whether an end that was told can be read.
fn has_its_response(hive: &Hive, entry: &Value) {
    let name = entry["response_file"].as_str().expect("what has ended has a response");
    let response = hive.response_named(name).unwrap_or_else(|| panic!("{name} is not there: {entry}"));
    assert_eq!(response.header.status.as_str(), entry["status"].as_str().expect("text"));
}

#[tokio::test]
async fn an_end_is_not_told_before_its_response_can_be_read() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut follow = agent.follow("").await;
    for n in 0..40 {
        hive.drop_task(&format!("END-{n}.md"), if n % 5 == 0 { "fail" } else { "words" });
    }
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    let mut ended = BTreeSet::new();
    while ended.len() < 41 {
        let frame = follow.next().await.expect("the socket is open");
        let entry = &frame["entry"];
        let is_final = ["completed", "failed"].contains(&entry["status"].as_str().unwrap_or(""));
        if is_final && ["task", "reply"].contains(&entry["kind"].as_str().unwrap_or("")) {
            has_its_response(&hive, entry);
            ended.insert(entry["entry_id"].as_str().unwrap().to_owned());
        }
    }
    for entry in agent.api().entries("kind=task&limit=1000").await {
        has_its_response(&hive, &entry);
    }
}

#[tokio::test]
async fn a_preemption_is_told_in_order() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let mut known = Followed::default();
    let mut follow = known.connect(&agent).await;
    hive.drop_task("COUNT-1.md", "count");
    known
        .read_until(&mut follow, |known| known.grown.get("COUNT-1").is_some_and(|text| text.len() > 4))
        .await;
    let mut chat: ChatSocket = agent.chat().await;
    chat.prompt("CHAT-1", "hello").await;
    let mut story: Vec<(String, String)> = Vec::new();
    while known.status("COUNT-1") != "completed" {
        let frame = follow.next().await.expect("the socket is open");
        known.take(&frame);
        let entry = &frame["entry"];
        if let (Some(id), Some(status)) = (entry["entry_id"].as_str(), entry["status"].as_str()) {
            let name = if id.starts_with("CTL-") { entry["title"].as_str().unwrap() } else { id };
            story.push((name.to_owned(), status.to_owned()));
        }
    }
    let at = |name: &str, status: &str| {
        let place = story.iter().position(|(one, state)| one == name && state == status);
        place.unwrap_or_else(|| panic!("{name} {status} was not told: {story:#?}"))
    };
    let steps = [
        at("COUNT-1", "suspended"),
        at("CHAT-1-reply", "completed"),
        story.iter().rposition(|(name, status)| name == "COUNT-1" && status == "running").unwrap(),
        at("COUNT-1", "completed"),
    ];
    assert!(rises(&steps), "{story:#?}");
    assert!(story.iter().any(|(name, _)| name == "preempted"), "{story:#?}");
}

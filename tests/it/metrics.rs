//! What an operator's monitoring reads (SPEC 9).

use std::collections::{BTreeMap, BTreeSet};

use hive_tests::{Agent, Hive, http_client};
use serde_json::json;

use crate::scripts::AGENT;

/// The samples of a page in the text format of Prometheus, by name and labels. Whatever is not in the format fails.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line ends too");
    let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
    let mut told = BTreeSet::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => assert!(told.insert(name) && help.ends_with('.'), "{line}"),
            ["#", "TYPE", name, of] => assert!(types.insert(name, of).is_none(), "{line}"),
            _ => {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
                let name = series.split('{').next().expect("a name");
                let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
                assert!(!name.is_empty() && name.chars().all(is_name), "{line}");
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                let of = types.get(name).or_else(|| types.get(family?));
                let of = of.unwrap_or_else(|| panic!("its type was not told: {line}"));
                assert!(name.ends_with("_total") == (*of == "counter"), "{line}");
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
            }
        }
    }
    assert_eq!(told, types.keys().copied().collect(), "each has a help and a type");
    samples
}

async fn read(agent: &Agent) -> BTreeMap<String, f64> {
    let reply = agent.api().get("/metrics").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    samples(&reply.text)
}

#[tokio::test]
async fn the_metrics_tell_what_the_bot_does() {
    let hive = Hive::exec(AGENT, "");
    let agent = Agent::start(&hive).await;
    let api = agent.api();
    let idle = read(&agent).await;
    let info = format!(
        "hive_build_info{{bot_id=\"BOT-002\",version=\"{}\",adapter=\"exec\",mode=\"hybrid\"}}",
        env!("CARGO_PKG_VERSION")
    );
    for (series, value) in [
        (info.as_str(), 1.0),
        ("hive_state{state=\"idle\"}", 1.0),
        ("hive_state{state=\"working\"}", 0.0),
        ("hive_paused{cause=\"user\"}", 0.0),
        ("hive_queued_tasks{priority=\"P1\"}", 0.0),
        ("hive_first_words_seconds_count", 0.0),
        ("hive_disk_trouble", 0.0),
        ("hive_health", 0.0),
        ("hive_timeline_entries", 1.0),
    ] {
        assert_eq!(idle.get(series), Some(&value), "{series}: {idle:#?}");
    }
    assert!(idle["process_resident_memory_bytes"] > 1e6 && idle["process_open_fds"] > 5.0, "{idle:#?}");
    assert!(!idle.keys().any(|series| series.starts_with("hive_items_ended_total")), "{idle:#?}");

    api.submit(json!({"instruction": "hold", "id": "HOLD-1"})).await;
    api.submit(json!({"instruction": "fail", "id": "BAD-1", "priority": "P1"})).await;
    api.until_is("HOLD-1", "running").await;
    let mut chat = agent.chat().await;
    let _follow = agent.follow("").await;
    chat.prompt("CHAT-1", "hello").await;
    chat.turn("CHAT-1").await;
    let refused = agent.api().get("/api/bot/BOT-7/status").await;
    assert_eq!(refused.status, 404, "an error of the API is no refusal at the door");
    let stranger = http_client();
    let status = stranger.get(format!("http://{}/metrics", agent.address())).send().await.unwrap().status();
    assert_eq!(status, 401);
    let busy = read(&agent).await;
    for (series, value) in [
        ("hive_queued_tasks{priority=\"P1\"}", 1.0),
        ("hive_items_ended_total{source=\"chat\",status=\"completed\"}", 1.0),
        ("hive_preemptions_total", 1.0),
        ("hive_first_words_seconds_count", 1.0),
        ("hive_first_words_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("hive_chat_clients", 1.0),
        ("hive_followers", 1.0),
        ("hive_requests_refused_total{code=\"unauthorized\"}", 1.0),
    ] {
        assert_eq!(busy.get(series), Some(&value), "{series}: {busy:#?}");
    }
    assert!(busy["hive_connections"] >= 2.0 && busy["hive_first_words_seconds_sum"] > 0.0, "{busy:#?}");

    hive.touch("go");
    api.until_ended("HOLD-1").await;
    api.until_ended("BAD-1").await;
    hive.control("PAUSE", "");
    api.until_status("it is paused", |status| status["paused"] == true).await;
    let done = read(&agent).await;
    for (series, value) in [
        ("hive_items_ended_total{source=\"file\",status=\"completed\"}", 1.0),
        ("hive_items_ended_total{source=\"file\",status=\"failed\"}", 1.0),
        ("hive_paused{cause=\"user\"}", 1.0),
        ("hive_state{state=\"paused\"}", 1.0),
    ] {
        assert_eq!(done.get(series), Some(&value), "{series}: {done:#?}");
    }
}

#[tokio::test]
async fn a_stranger_cannot_fill_the_log() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let stranger = http_client();
    let long = "x".repeat(4_000);
    for n in 0..60 {
        let url = format!("http://{}/{n}{long}", agent.address());
        assert_eq!(stranger.get(url).send().await.unwrap().status(), 401);
    }
    let logged = std::fs::read_to_string(hive.paths().activity_log(hive.bot())).unwrap();
    let told: Vec<&str> = logged.lines().filter(|line| line.contains("turned away")).collect();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(told.iter().all(|line| line.len() < 600), "{told:#?}");
    assert!(logged.contains("more of these are counted"), "{logged}");
    let counted = read(&agent).await;
    assert_eq!(counted.get("hive_requests_refused_total{code=\"unauthorized\"}"), Some(&60.0));
}

//! What a follower of the timeline knows from what it was told.

use std::collections::{BTreeMap, BTreeSet};

use hive_tests::{Agent, Api, Follow};
use serde_json::Value;

/// What a follower knows. Each frame is checked against the promise that nothing is skipped and nothing repeated.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// Which timeline it is; empty before the first snapshot.
    pub(crate) epoch: String,
    /// The last change that was told.
    pub(crate) at: u64,
    /// The entries as they were told last.
    pub(crate) entries: BTreeMap<String, Value>,
    /// The contents as chunks made them grow.
    pub(crate) grown: BTreeMap<String, String>,
    /// Whether it may lag: what it was not told in time it may learn of as a change.
    lags: bool,
    /// All changes that were told one by one.
    seqs: BTreeSet<u64>,
}

impl Followed {
    /// What a follower knows that does not keep up.
    pub(crate) fn that_may_lag() -> Self {
        Self { lags: true, ..Self::default() }
    }

    /// Connects, from the very beginning or where the last connection left off.
    pub(crate) async fn connect(&mut self, agent: &Agent) -> Follow {
        let query = match self.epoch.as_str() {
            "" => "after_seq=0".to_owned(),
            epoch => format!("after_seq={}&epoch={epoch}", self.at),
        };
        let follow = agent.follow(&query).await;
        let snapshot = &follow.snapshot;
        assert!(self.epoch.is_empty() || snapshot["epoch"] == *self.epoch, "another timeline: {snapshot}");
        text_of(&snapshot["epoch"]).clone_into(&mut self.epoch);
        for entry in snapshot["entries"].as_array().expect("a list") {
            self.entry(entry);
        }
        let last_seq = snapshot["last_seq"].as_u64().expect("a number");
        assert!(last_seq >= self.at, "the snapshot goes back: {snapshot}");
        self.at = last_seq;
        follow
    }

    /// Takes in a frame.
    pub(crate) fn take(&mut self, frame: &Value) {
        match text_of(&frame["type"]) {
            kind @ ("entry_added" | "entry_updated") => {
                let is_known = self.entries.contains_key(text_of(&frame["entry"]["entry_id"]));
                let is_right =
                    if is_known { kind == "entry_updated" } else { kind == "entry_added" || self.lags };
                assert!(is_right, "{frame}");
                self.entry(&frame["entry"]);
            }
            "entry_chunk" => {
                let grown = self.grown.entry(text_of(&frame["entry_id"]).to_owned()).or_default();
                let offset = usize::try_from(frame["offset"].as_u64().expect("a number")).expect("it fits");
                assert!(offset <= grown.len(), "a gap after {grown:?}: {frame}");
                grown.truncate(offset);
                grown.push_str(text_of(&frame["content"]));
            }
            other => panic!("a frame of type {other}: {frame}"),
        }
    }

    /// Reads on until the connection is cut.
    pub(crate) async fn read_to_end(&mut self, follow: &mut Follow) {
        while let Some(frame) = follow.next().await {
            self.take(&frame);
        }
    }

    /// Reads on until what is known fits.
    pub(crate) async fn read_until(&mut self, follow: &mut Follow, fits: impl Fn(&Self) -> bool) {
        while !fits(self) {
            let frame = follow.next().await.expect("the socket is open");
            self.take(&frame);
        }
    }

    /// The status of an entry; empty if it is not known.
    pub(crate) fn status(&self, entry_id: &str) -> &str {
        self.entries.get(entry_id).map_or("", |entry| text_of(&entry["status"]))
    }

    /// Reads on until everything that the bot knows was told, and compares. Nothing must be running.
    pub(crate) async fn agrees_with(&mut self, follow: &mut Follow, api: &Api) {
        let (mut entries, mut last_seq) = (BTreeMap::new(), 0);
        loop {
            // A page has so many bytes at most.
            let page = api.get(&format!("timeline?after_seq={last_seq}&limit=1000")).await.ok();
            last_seq = page["last_seq"].as_u64().expect("a number");
            let more = page["entries"].as_array().expect("a list");
            entries.extend(more.iter().map(|entry| (text_of(&entry["entry_id"]).to_owned(), entry.clone())));
            if page["has_more"] != true {
                break;
            }
        }
        self.read_until(follow, |known| known.at >= last_seq).await;
        assert_eq!(self.entries, entries);
    }

    fn entry(&mut self, entry: &Value) {
        let seq = entry["seq"].as_u64().expect("a number");
        assert!(seq > self.at, "told after {}: {entry}", self.at);
        assert!(self.seqs.insert(seq), "told twice: {entry}");
        self.at = seq;
        self.entries.insert(text_of(&entry["entry_id"]).to_owned(), entry.clone());
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("text")
}

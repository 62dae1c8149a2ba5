//! What the bot owes in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use hive_shared::api::{Entry, TaskView, TimelineQuery};
use hive_shared::client::{Client, TaskQuery};
use hive_shared::ids::ItemId;
use hive_shared::response::{self, ResponseHeader};
use hive_shared::work::{Kind, Priority, Source, Status};

use super::Toll;
use super::load::{Given, Load};
use super::onlooker::Onlooker;
use super::worker::Worker;
use crate::hive::Hive;
use crate::wait;

/// All that there is to be read when nothing happens any more.
struct Evidence<'a> {
    worker: Worker,
    hive: &'a Hive,
    load: &'a Load,
    tasks: BTreeMap<ItemId, TaskView>,
    entries: BTreeMap<String, Entry>,
    responses: BTreeMap<ItemId, (String, ResponseHeader, String)>,
}

/// Holds the bot against what was done to it.
pub(super) async fn judge(
    worker: Worker,
    hive: &Hive,
    client: &Client,
    load: &Load,
    onlooker: &Onlooker,
    toll: &mut Toll,
) {
    let tasks = tasks(client).await;
    let is_removed = |name: &str| {
        let id = name.strip_suffix(".md").and_then(|stem| ItemId::parse(stem).ok());
        id.and_then(|id| load.tasks.get(&id)).is_some_and(|given| given.removed)
    };
    let mut files: Vec<&str> = tasks.values().map(|task| task.file.as_str()).collect();
    files.retain(|name| !is_removed(name));
    files.sort_unstable();
    let state = async || {
        let archived = hive.names_in(&hive.paths().archive(hive.bot()));
        let lacks: Vec<_> = files.iter().filter(|file| !archived.iter().any(|name| name == *file)).collect();
        let odd: Vec<_> = archived.iter().filter(|name| !files.contains(&name.as_str())).collect();
        format!("the archive lacks {lacks:?}, and has {odd:?} besides\n{}", hive.state())
    };
    wait::until("each task's file is in the archive, and none is left", state, async || {
        let archived = hive.names_in(&hive.paths().archive(hive.bot()));
        (archived == files && hive.names_in(&hive.tasks()) == ["archive", "rejected"]).then_some(())
    })
    .await;
    wait::until("nothing is left unfinished", state, async || {
        hive.unfinished_files().is_empty().then_some(())
    })
    .await;
    let entries = entries(client).await;
    let last = entries.values().map(|entry| entry.seq).max().expect("there are some");
    wait::until("the follower is told of the last change", state, async || {
        (onlooker.known().seq >= last).then_some(())
    })
    .await;
    assert_same(&onlooker.known().entries, &entries);
    let evidence = Evidence { worker, hive, load, tasks, entries, responses: responses(hive) };
    evidence.of_tasks();
    evidence.of_families();
    evidence.of_prompts(client).await;
    evidence.of_runs();
    let counts = client.status().await.expect("it is up").counts;
    let items = evidence.responses.len();
    let ended = counts.completed + counts.failed + counts.cancelled + counts.timed_out + counts.incomplete;
    assert_eq!(ended, items as u64, "ends are counted twice, or not at all: {counts:?}");
    (toll.items, toll.completed) = (items, counts.completed);
}

impl Evidence<'_> {
    /// Each task that was accepted has one end, and the same one wherever it is told.
    fn of_tasks(&self) {
        for (id, given) in &self.load.tasks {
            assert!(given.removed || self.tasks.contains_key(id), "{id} was accepted and is lost");
        }
        for (id, task) in &self.tasks {
            let entry = &self.entries[id.as_str()];
            let header = self.ends_as(id, &[entry]);
            assert_eq!((header.status, header.attempts), (task.status, task.attempts), "{id}");
            assert_eq!(header.task_id.as_ref(), Some(id));
            self.says_what_it_should(id, &self.given_of(id).words);
        }
        let told = self.entries.values().filter(|entry| entry.kind == Kind::Task).count();
        assert_eq!(told, self.tasks.len(), "the timeline has other tasks");
    }

    /// A second file of an id and a retry made a task each, and nothing else did.
    fn of_families(&self) {
        let mut members: BTreeMap<&str, usize> = BTreeMap::new();
        for id in self.tasks.keys() {
            *members.entry(base(id)).or_default() += 1;
        }
        for (id, given) in &self.load.tasks {
            // One whose file was taken away before it was seen is none.
            let least = given.offspring + usize::from(!given.removed);
            let most = 1 + given.offspring + given.unconfirmed;
            let members = members.get(id.as_str()).copied().unwrap_or(0);
            assert!((least..=most).contains(&members), "{id} became {members} tasks, not {least} to {most}");
        }
    }

    async fn of_prompts(&self, client: &Client) {
        let prompts: BTreeSet<&str> = self
            .entries
            .values()
            .filter(|entry| entry.kind == Kind::Prompt)
            .map(|entry| entry.entry_id.as_str())
            .collect();
        for heard in &self.load.heard {
            let (id, is_known) = (&heard.id, prompts.contains(heard.id.as_str()));
            assert!(is_known || !heard.accepted, "{id} was accepted and is lost");
            assert!(!is_known || !heard.refused, "{id} was refused, and is there");
            if !is_known {
                continue;
            }
            let detail = client.task(id).await.expect("it is known");
            let reply = self.entries.get(&format!("{id}-reply"));
            assert_eq!(reply.is_some(), detail.task.attempts > 0, "{id}");
            let told: Vec<&Entry> = std::iter::once(&self.entries[id.as_str()]).chain(reply).collect();
            let header = self.ends_as(id, &told);
            assert_eq!((header.chat_id.as_ref(), header.status), (Some(id), detail.task.status));
            self.says_what_it_should(id, &heard.words);
            if let Some(end) = heard.end {
                assert_eq!(
                    (end, &heard.text),
                    (header.status, &self.responses[id].2),
                    "{id} was told otherwise"
                );
            }
        }
        assert!(prompts.iter().all(|id| self.load.prompted.iter().any(|it| it.as_str() == *id)));
        assert_eq!(prompts.len() + self.tasks.len(), self.responses.len(), "one response for each item");
    }

    /// What is told of an item's end in its response and on the timeline is one thing.
    fn ends_as(&self, id: &ItemId, told: &[&Entry]) -> &ResponseHeader {
        let Some((name, header, text)) = self.responses.get(id) else { panic!("{id} has no response") };
        for entry in told {
            assert_eq!((entry.status, entry.response_file.as_ref()), (header.status, Some(name)), "{id}");
            if entry.kind != Kind::Prompt {
                assert_eq!(&entry.content, text, "{id}");
            }
        }
        header
    }

    fn says_what_it_should(&self, id: &ItemId, words: &str) {
        let (_, header, text) = &self.responses[id];
        self.worker.judges(id, words, header.status, text);
    }

    /// What was given to the bot that this task came of.
    fn given_of(&self, id: &ItemId) -> &Given {
        let base = ItemId::parse(base(id)).expect("it is a good id");
        self.load.tasks.get(&base).unwrap_or_else(|| panic!("nobody asked for {id}"))
    }

    /// Nothing that had ended was started, no chat turn was started twice, and tasks of one priority were started in
    /// the order in which they came.
    fn of_runs(&self) {
        assert_eq!(self.hive.work_file("again.txt"), "", "these had ended and ran again");
        assert!(!self.hive.work_file("agent.log").contains("TWO PROMPTS AT ONCE"));
        let log = self.hive.work_file("ran.txt");
        let mut runs: BTreeMap<&str, u32> = BTreeMap::new();
        let mut last: BTreeMap<Priority, (hive_shared::time::Stamp, &str)> = BTreeMap::new();
        for id in log.lines() {
            let run = runs.entry(id).or_default();
            *run += 1;
            let entry = &self.entries[id];
            if *run > 1 || entry.source != Source::File {
                continue;
            }
            let item = ItemId::parse(id).expect("it is a good id");
            let priority = self.tasks[&item].priority;
            if self.given_of(&item).prioritized {
                continue;
            }
            let before = last.insert(priority, (entry.timestamp, id));
            assert!(
                before.is_none_or(|(came, _)| came < entry.timestamp),
                "{id} of {priority} started after {before:?}, and came before it"
            );
        }
        for (id, runs) in runs {
            let (_, header, _) = &self.responses[&ItemId::parse(id).expect("it is a good id")];
            assert!(runs <= header.attempts, "{id} ran {runs} times in {} attempts", header.attempts);
            assert!(header.source == Source::File || runs == 1, "{id} was answered {runs} times");
        }
    }
}

/// The id less what was added because it was in use.
fn base(id: &ItemId) -> &str {
    let mut base = id.as_str();
    while let Some((stem, number)) = base.rsplit_once(".r")
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        base = stem;
    }
    base
}

fn assert_same(told: &BTreeMap<String, Entry>, is: &BTreeMap<String, Entry>) {
    for (id, entry) in is {
        assert_eq!(told.get(id), Some(entry), "the follower knows otherwise");
    }
    assert_eq!(told.len(), is.len(), "the follower knows of entries that are not there");
}

async fn tasks(client: &Client) -> BTreeMap<ItemId, TaskView> {
    let mut all = BTreeMap::new();
    let mut query = TaskQuery { all: true, limit: Some(500), after: None };
    loop {
        let page = client.tasks(&query).await.expect("it is up");
        let Some(last) = page.tasks.last() else { return all };
        query.after = Some(last.task_id.clone());
        for task in page.tasks {
            let id = task.task_id.clone();
            assert!(all.insert(id.clone(), task).is_none(), "{id} is listed twice");
        }
    }
}

async fn entries(client: &Client) -> BTreeMap<String, Entry> {
    let mut all = BTreeMap::new();
    let mut after = 0;
    loop {
        let query = TimelineQuery { after_seq: Some(after), limit: Some(500), ..TimelineQuery::default() };
        let page = client.timeline(&query).await.expect("it is up");
        after = page.last_seq;
        for entry in page.entries {
            let id = entry.entry_id.clone();
            assert!(all.insert(id.clone(), entry).is_none(), "{id} is there twice");
        }
        if !page.has_more {
            return all;
        }
    }
}

/// All responses, by the item that they answer.
fn responses(hive: &Hive) -> BTreeMap<ItemId, (String, ResponseHeader, String)> {
    let mut all = BTreeMap::new();
    for name in hive.names_in(&hive.paths().responses()) {
        let document = fs::read_to_string(hive.paths().responses().join(&name)).expect("it can be read");
        let (header, text) =
            response::read(&document).unwrap_or_else(|error| panic!("{name}: {error}\n{document}"));
        let id = header.task_id.clone().or_else(|| header.chat_id.clone()).expect("it answers something");
        let text = text.to_owned();
        assert!(header.status.is_final() && (header.status == Status::Completed) == header.success);
        assert!(all.insert(id.clone(), (name, header, text)).is_none(), "{id} has two responses");
    }
    all
}

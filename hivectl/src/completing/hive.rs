//! What the hive has to offer, found in a moment: from bots that answer at once, else from a bounded look at files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use hive_shared::api::TimelineQuery;
use hive_shared::client::{Client, ClientError, Locator, TaskQuery, list_bots};
use hive_shared::ids::BotId;
use hive_shared::work::{Kind, Source};

use super::candidates::Which;
use crate::cli::Global;
use crate::files::{self, Files};
use crate::fleet::Fleet;

/// How long a bot has to answer. Whoever presses Tab waits for it.
const MOMENT: Duration = Duration::from_millis(150);
/// How many items of one kind a bot is asked for.
const MOST: usize = 100;

/// What the line says about where to look.
#[derive(Debug)]
pub(super) struct Surroundings {
    global: Global,
    /// Whether nothing of the word at the cursor is there yet.
    pub(super) at_a_new_word: bool,
}

/// An item that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Whose it is.
    pub(super) bot: BotId,
    /// What is typed.
    pub(super) id: String,
    /// How it stands, in a word.
    pub(super) state: &'static str,
    /// What it is about.
    pub(super) title: String,
}

impl Surroundings {
    /// Those of a line, the program first and the word at the cursor last.
    pub(super) fn of(words: &[OsString]) -> Self {
        let text = |word: &OsString| word.to_string_lossy().into_owned();
        let words: Vec<_> = words.iter().map(text).collect();
        let option = |name: &str| {
            let at = words.iter().position(|word| word == name || word.starts_with(&format!("{name}=")))?;
            let value = match words[at].split_once('=') {
                Some((_, value)) => value,
                None => words.get(at + 1)?,
            };
            // What the shell would make of it, it has not made yet.
            Some(match value.strip_prefix("~/").zip(std::env::var("HOME").ok()) {
                Some((below, home)) => format!("{home}/{below}"),
                None => value.to_owned(),
            })
        };
        let global = Global {
            hive: option("--hive").map(PathBuf::from),
            url: option("--url"),
            token_file: option("--token-file").map(PathBuf::from),
            ca: option("--ca").map(PathBuf::from),
            ..Global::default()
        };
        Self { global, at_a_new_word: words.last().is_none_or(String::is_empty) }
    }

    /// The bots there are.
    pub(super) fn bots(&self) -> Vec<BotId> {
        let Ok(fleet) = Fleet::find(&self.global) else { return Vec::new() };
        match fleet.locator() {
            Locator::Hive(hive) => list_bots(hive).ids.into_iter().collect(),
            Locator::Remote(endpoint) => {
                let open = Client::open_remote(endpoint.clone());
                let opened = in_a_moment(async { tokio::time::timeout(MOMENT, open).await.ok() });
                opened.flatten().and_then(Result::ok).map(|client| client.bot().clone()).into_iter().collect()
            }
        }
    }

    /// The conversations there were, the latest first, as far as the hive is on this machine.
    pub(super) fn sessions(&self) -> Vec<String> {
        let Ok(fleet) = Fleet::find(&self.global) else { return Vec::new() };
        let Locator::Hive(hive) = fleet.locator() else { return Vec::new() };
        let mut seen = BTreeSet::new();
        let sessions = files::some_answered(hive, "CHAT-").into_iter().filter_map(|header| header.session);
        sessions.filter(|session| seen.insert(session.clone())).collect()
    }

    /// Items of `bot`, of all bots if that is `None`. Where there are too many to look at,
    /// those whose id begins with `begins`, which is what is typed of it.
    pub(super) fn items(&self, which: Which, bot: Option<&str>, begins: &str) -> Vec<Item> {
        let Ok(fleet) = Fleet::find(&self.global) else { return Vec::new() };
        let mut bots = self.bots();
        bots.retain(|known| bot.is_none_or(|typed| known.as_str() == typed));
        let looked = in_a_moment(join_all(bots.iter().map(|bot| items_of(bot, which, fleet.locator()))));
        let mut items = Vec::new();
        let mut down = Vec::new();
        for (bot, looked) in bots.into_iter().zip(looked.unwrap_or_default()) {
            match looked {
                Some(found) => items.extend(found),
                None => down.push(bot),
            }
        }
        if let Locator::Hive(hive) = fleet.locator()
            && !down.is_empty()
            && which.works_by_files()
        {
            let (finals, open, _) = which.has();
            let all: Vec<_> = list_bots(hive).ids.into_iter().collect();
            for bot in down.iter().filter(|_| open) {
                let files = Files::new(hive.clone(), bot.clone(), all.clone());
                items.extend(files.some_waiting(begins).into_iter().map(|task| Item {
                    bot: bot.clone(),
                    id: task.task_id.to_string(),
                    state: task.status.as_str(),
                    title: task.title,
                }));
            }
            let answered = if finals { files::some_answered(hive, begins) } else { Vec::new() };
            items.extend(answered.into_iter().filter(|header| down.contains(&header.bot_id)).filter_map(
                |header| {
                    which.includes(header.source, header.status).then_some(())?;
                    Some(Item {
                        id: header.task_id.or(header.chat_id)?.to_string(),
                        bot: header.bot_id,
                        state: header.status.as_str(),
                        title: header.title.or(header.prompt).unwrap_or_default(),
                    })
                },
            ));
        }
        items
    }
}

/// Runs it to its end, which is near.
fn in_a_moment<T>(work: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let done = runtime.block_on(work);
    // A name that is still being resolved must not hold up the line.
    runtime.shutdown_background();
    Some(done)
}

/// The items of one bot, the ones that wait first, then the newest; `None` if it is down. One that takes its time has
/// none.
async fn items_of(bot: &BotId, which: Which, locator: &Locator) -> Option<Vec<Item>> {
    let look = async {
        let client = match Client::open(locator, bot).await {
            Ok(client) => client,
            Err(error) if error.is_down() => return None,
            Err(_) => return Some(Vec::new()),
        };
        Some(ask(&client, which).await.unwrap_or_default())
    };
    tokio::time::timeout(MOMENT, look).await.unwrap_or_else(|_| Some(Vec::new()))
}

async fn ask(client: &Client, which: Which) -> Result<Vec<Item>, ClientError> {
    if which == Which::Approvals {
        let list = client.approvals().await?;
        return Ok(list
            .approvals
            .into_iter()
            .map(|approval| Item {
                bot: client.bot().clone(),
                id: approval.approval_id.to_string(),
                state: "asks",
                title: approval.title,
            })
            .collect());
    }
    let (_, open, prompts) = which.has();
    let waiting = async {
        let query = TaskQuery { limit: Some(MOST), ..TaskQuery::default() };
        if open { client.tasks(&query).await.map(|list| list.tasks) } else { Ok(Vec::new()) }
    };
    let newest = async |kind| {
        let query = TimelineQuery { kind: Some(kind), limit: Some(MOST), ..TimelineQuery::default() };
        client.timeline(&query).await.map(|page| page.entries)
    };
    let chats = async { if prompts { newest(Kind::Prompt).await } else { Ok(Vec::new()) } };
    let (waiting, tasks, chats) = tokio::try_join!(waiting, newest(Kind::Task), chats)?;
    let mut items: Vec<Item> = Vec::new();
    for task in waiting.into_iter().filter(|task| which.includes(Source::File, task.status)) {
        items.push(Item {
            bot: client.bot().clone(),
            id: task.task_id.to_string(),
            state: task.status.as_str(),
            title: task.title,
        });
    }
    let mut entries: Vec<_> = tasks.into_iter().chain(chats).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.timestamp));
    for entry in entries.into_iter().filter(|entry| which.includes(entry.source, entry.status)) {
        if !items.iter().any(|item| item.id == entry.entry_id) {
            items.push(Item {
                bot: entry.bot_id,
                id: entry.entry_id,
                state: entry.status.as_str(),
                title: entry.title.unwrap_or(entry.content),
            });
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hive_in(line: &str) -> Option<String> {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        Surroundings::of(&words).global.hive.map(|dir| dir.display().to_string())
    }

    #[test]
    fn the_line_says_which_hive() {
        for line in ["hivectl --hive /a show ", "hivectl show --hive=/a "] {
            assert_eq!(hive_in(line).as_deref(), Some("/a"), "{line}");
        }
        assert_eq!(hive_in("hivectl show --hive"), None);
        assert_eq!(hive_in("hivectl show "), None);
    }
}

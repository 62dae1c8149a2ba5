//! A ledger that is new knows what the responses tell: the bot's history is theirs, whether its database was lost, was
//! damaged and set aside, or never was on this machine (SPEC 2).

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hive_shared::ids::ItemId;
use hive_shared::paths::Hive;
use hive_shared::response;
use hive_shared::task::{self, MAX_TASK_BYTES};
use hive_shared::time::Stamp;
use hive_shared::work::Source;

use super::Driver;
use crate::response::item;
use crate::store::{Item, StoreError};
use crate::turn::{Steps, Told, content_of};
use crate::untrusted;

/// The most bytes of a response that are looked at: a prompt as long as one may be, escaped, and more of the answer than
/// a timeline shows.
const MOST_READ: u64 = 8 << 20;
/// How many items are restored in one transaction.
const ITEMS_A_COMMIT: usize = 500;

/// What a file in the archive says of the task whose file it was.
struct Archived {
    name: String,
    digest: String,
    archived_at: (i64, i64),
}

impl Driver {
    /// Takes all that this bot's responses tell into the ledger, where it is not known yet, the oldest first. `damage`
    /// says what became of the last ledger.
    pub(super) fn rebuild(&mut self, damage: Option<&str>) -> Result<(), StoreError> {
        let mut restored = 0_usize;
        let mut archive = None;
        for name in self.own_responses() {
            let Some((mut item, prompt, told)) = self.response_of(&name) else { continue };
            if self.store.item(&item.id)?.is_some() {
                continue;
            }
            if item.source == Source::File {
                let archive = archive.get_or_insert_with(|| self.archive_by_id());
                if let Some(archived) = archived_of(archive, &item.id) {
                    item.archived = Some(archived.name.clone());
                    item.digest.clone_from(&archived.digest);
                }
            }
            self.restore(item, &prompt, told)?;
            restored += 1;
            if restored.is_multiple_of(ITEMS_A_COMMIT) {
                self.flush()?;
            }
        }
        let found = match restored {
            0 if damage.is_none() => return Ok(()),
            1 => "1 response".to_owned(),
            restored => format!("{restored} responses"),
        };
        let why = damage.map_or_else(|| "the ledger is new".to_owned(), str::to_owned);
        tracing::warn!(restored, why, "the ledger was rebuilt from the responses");
        self.control_entry("rebuilt", &format!("{why}; {found} of this bot were read"), None)
    }

    /// Whether an item has a response of ours though the ledger knows of no end: a copy from an earlier day was put in
    /// its place. It is over, then, and its response is not written anew.
    pub(super) fn has_ended_by_its_response(&mut self, known: &Item) -> Result<bool, StoreError> {
        let Some((item, prompt, told)) = self.response_of(&Hive::response_name(&known.id)) else {
            return Ok(false);
        };
        tracing::warn!(item = %known.id, "the ledger is older than its response: it has ended");
        let detail = known.detail.clone();
        let file = known.file.clone();
        let digest = known.digest.clone();
        // What is to be archived still is.
        let settled = known.source != Source::File;
        let item =
            Item { arrival: known.arrival, seen_at: known.seen_at, detail, file, digest, settled, ..item };
        if !settled {
            self.settle_again(item.clone())?;
        }
        self.restore(item, &prompt, told)?;
        Ok(true)
    }

    fn restore(&mut self, mut item: Item, prompt: &str, told: Told) -> Result<(), StoreError> {
        self.store.put_item(&mut item)?;
        self.store.tally(item.source, item.status)?;
        self.count(item.status);
        let ended_at = item.ended_at.unwrap_or(item.seen_at);
        let entries = match item.source {
            Source::File | Source::Control => vec![self.task_entry(&item, told)],
            Source::Chat if item.attempts == 0 => vec![self.prompt_entry(&item, prompt)],
            Source::Chat => vec![self.prompt_entry(&item, prompt), self.reply_entry(&item, told)],
        };
        entries.into_iter().try_for_each(|mut entry| {
            entry.updated_at = ended_at;
            self.store.restore_entry(entry)
        })
    }

    /// The names of the responses of this bot, in the order in which their items began.
    fn own_responses(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.identity.hive.responses()) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<(Stamp, String)> = names
            .filter(|name| name.ends_with("-response.md"))
            .filter_map(|name| self.response_of(&name).map(|(item, ..)| (item.seen_at, name)))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// What a response of this bot says: the item, what was prompted, and what the timeline shows of the answer.
    fn response_of(&self, name: &str) -> Option<(Item, String, Told)> {
        let file = untrusted::open(&self.identity.hive.responses().join(name)).ok()?;
        let (text, is_cut) = beginning_of(file)?;
        let (header, said) = response::read(&text).ok()?;
        let prompt = header.prompt.clone().unwrap_or_default();
        let item = item(header, &self.identity.bot, name)?;
        let (content, is_longer) = content_of(said);
        Some((
            item,
            prompt,
            Told { content, content_truncated: is_cut || is_longer, steps: Steps::default() },
        ))
    }

    /// The files in the archive, by the ids that their documents have, those that came first before the others.
    fn archive_by_id(&self) -> HashMap<ItemId, Vec<Archived>> {
        let mut archive: HashMap<ItemId, Vec<Archived>> = HashMap::new();
        let directory = self.identity.hive.archive(&self.identity.bot);
        let Ok(entries) = std::fs::read_dir(&directory) else { return archive };
        for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some((id, archived)) = self.archived(&directory, name) {
                archive.entry(id).or_default().push(archived);
            }
        }
        for files in archive.values_mut() {
            files.sort_unstable_by_key(|file| file.archived_at);
        }
        archive
    }

    fn archived(&self, directory: &Path, name: String) -> Option<(ItemId, Archived)> {
        let path = directory.join(&name);
        let bytes = untrusted::read(&path, MAX_TASK_BYTES + 1).ok()?;
        let metadata = path.symlink_metadata().ok()?;
        let document = task::read(&bytes, &self.reading(&name, Stamp::from_micros(0))).ok()?;
        let archived_at = (metadata.ctime(), metadata.ctime_nsec());
        Some((document.id.clone(), Archived { digest: document.digest(), name, archived_at }))
    }
}

/// Which file of the archive a task's is: the n-th of its id for the n-th task with it (SPEC 3: `ID`, `ID.r2` …).
fn archived_of<'a>(archive: &'a HashMap<ItemId, Vec<Archived>>, id: &ItemId) -> Option<&'a Archived> {
    if let Some(files) = archive.get(id) {
        return files.first();
    }
    let (base, number) = id.as_str().rsplit_once(".r")?;
    let number: usize = number.parse().ok()?;
    archive.get(&ItemId::parse(base).ok()?)?.get(number.checked_sub(1)?)
}

/// The text of a document, as much of it as is looked at, and whether there is more.
fn beginning_of(mut file: File) -> Option<(String, bool)> {
    let mut bytes = Vec::new();
    file.by_ref().take(MOST_READ).read_to_end(&mut bytes).ok()?;
    let is_cut = file.metadata().ok()?.len() > MOST_READ;
    Some((String::from_utf8_lossy(&bytes).into_owned(), is_cut))
}

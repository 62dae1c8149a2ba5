//! A ledger that is new knows what the responses tell: the bot's history is theirs, whether its database was lost, was
//! damaged and set aside, or never was on this machine (SPEC 2).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use hive_shared::ids::ItemId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use hive_shared::response;
use hive_shared::task::{self, MAX_TASK_BYTES};
use hive_shared::time::Stamp;
use hive_shared::work::Source;

use super::Driver;
use super::requests::is_control_id;
use crate::inbox::documents::TaskHead;
use crate::response::item;
use crate::store::{Detail, Item, REBUILT, StoreError};
use crate::turn::{Steps, Told, content_of};
use crate::untrusted;

/// The most bytes of a response that are looked at: a prompt as long as one may be, escaped, and more of the answer than
/// a timeline shows.
const MOST_READ: u64 = 8 << 20;
/// Of all responses together so many bytes of what they say are kept until it is their turn. What is beyond is read again
/// then: memory stays flat, however long the history.
const MOST_KEPT: usize = 64 << 20;
/// How many items are restored in one transaction.
const ITEMS_A_COMMIT: usize = 500;
/// In place of the digest of a task that has one of several files in the archive: no document has it.
const UNTOLD: &str = "one of several";

/// What a response of this bot says.
struct Response {
    item: Item,
    /// What was prompted.
    prompt: String,
    /// What the timeline shows of the answer.
    told: Told,
}

impl Response {
    fn size(&self) -> usize {
        size_of::<Self>() + self.prompt.len() + self.told.content.len()
    }
}

/// A response of this bot that was found.
struct Found {
    /// When its item began.
    at: Stamp,
    name: String,
    /// What it says, as long as there is room for it.
    kept: Option<Box<Response>>,
}

/// A task's file in the archive, and what it says.
struct Archived {
    name: String,
    modified: Stamp,
    head: TaskHead,
}

impl Driver {
    /// Takes all that this bot's responses tell into the ledger, where it is not known yet, the oldest first. `damage`
    /// says what became of the last ledger.
    pub(super) fn rebuild(&mut self, damage: Option<&str>) -> Result<(), StoreError> {
        if self.store.meta(REBUILT)?.is_some() {
            return Ok(());
        }
        let (mut restored, mut unread) = (0_usize, 0_usize);
        let mut archive = None;
        for Found { name, kept, .. } in self.own_responses()? {
            let read = kept.map_or_else(|| self.response_of(&name), |kept| Ok(Some(*kept)))?;
            let Some(Response { mut item, prompt, told }) = read else {
                unread += 1;
                continue;
            };
            if self.store.item(&item.id)?.is_some() {
                continue;
            }
            if item.source == Source::File {
                item.detail.limit = self.settings.limit(item.priority);
                let archive = archive.get_or_insert_with(|| self.archive_by_id());
                match archive.get(&item.id).map_or(&[][..], Vec::as_slice) {
                    [] => {
                        let first = first_of(&item.id);
                        let is_of_it = |id: &ItemId| {
                            // Two files of one name are `PLAN.md` and `PLAN.2.md` there.
                            Some(id) == first.as_ref() || (first.is_some() && numbered(id, ".") == first)
                        };
                        let of_it = archive.iter().filter(|(id, _)| is_of_it(id));
                        let files: Vec<&Archived> = of_it.flat_map(|(_, files)| files).collect();
                        if files.len() > 1 {
                            self.complete_from(&mut item, &files);
                        }
                    }
                    [archived] => self.complete(&mut item, archived),
                    several => self.complete_from(&mut item, &several.iter().collect::<Vec<_>>()),
                }
            }
            self.restore(item, &prompt, told)?;
            restored += 1;
            if restored.is_multiple_of(ITEMS_A_COMMIT) {
                self.flush()?;
            }
        }
        self.store.put_meta(REBUILT, "1")?;
        let found = match restored {
            0 if damage.is_none() => return Ok(()),
            1 => "1 response".to_owned(),
            restored => format!("{restored} responses"),
        };
        let why = damage.map_or_else(|| "the ledger is new".to_owned(), str::to_owned);
        tracing::warn!(restored, unread, why, "the ledger was rebuilt from the responses");
        self.control_entry("rebuilt", &format!("{why}; {found} of this bot were read"), None)
    }

    /// What a response does not say of its task, the task's file does.
    fn complete(&self, item: &mut Item, archived: &Archived) {
        let of_file = self.item_of(&item.id, &archived.name, archived.head.clone());
        item.archived = Some(archived.name.clone());
        item.digest = of_file.digest;
        item.detail = Detail { retry_of: item.detail.retry_of.take(), ..of_file.detail };
    }

    /// The same where several files have the id of a task and of those that were called after it. Which was whose cannot
    /// be told for certain: it is the newest of those that were there when it ended, and a document that comes is none of
    /// them.
    fn complete_from(&self, item: &mut Item, files: &[&Archived]) {
        let ended_at = item.ended_at.unwrap_or(item.seen_at);
        let there = files.iter().filter(|file| file.modified <= ended_at);
        if let Some(archived) = there.max_by_key(|file| file.modified) {
            self.complete(item, archived);
        }
        UNTOLD.clone_into(&mut item.digest);
    }

    /// Whether an item has a response of ours though the ledger knows of no end: a copy from an earlier day was put in
    /// its place. It is over, then, and its response is not written anew.
    pub(super) fn has_ended_by_its_response(&mut self, known: &Item) -> Result<bool, StoreError> {
        for name in Hive::response_names(&known.id, &self.identity.bot) {
            let Some(Response { item, prompt, told }) = self.response_of(&name)? else { continue };
            if (&item.id, item.source) != (&known.id, known.source) {
                continue;
            }
            tracing::warn!(item = %known.id, "the ledger is older than its response: it has ended");
            // What is to be archived still is.
            let settled = known.source != Source::File;
            let archive = self.identity.hive.archive(&self.identity.bot);
            let archived = known.file.clone().and_then(|name| self.archived(&archive, name));
            let archived = archived.filter(|file| file.head.document.id == known.id);
            let item = Item {
                arrival: known.arrival,
                seen_at: known.seen_at,
                detail: known.detail.clone(),
                file: known.file.clone(),
                archived: archived.map(|file| file.name),
                digest: known.digest.clone(),
                settled,
                ..item
            };
            if !settled {
                self.settle_again(item.clone())?;
            }
            self.restore(item, &prompt, told)?;
            return Ok(true);
        }
        Ok(false)
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

    /// The responses of this bot, in the order in which their items began. That they cannot be listed is no sign that
    /// there are none.
    fn own_responses(&self) -> Result<Vec<Found>, StoreError> {
        let mut found: Vec<Found> = Vec::new();
        let mut room = MOST_KEPT;
        for entry in std::fs::read_dir(self.identity.hive.responses())? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if name.ends_with("-response.md")
                && let Some(response) = self.response_of(&name)?
            {
                let at = response.item.seen_at;
                let left = room.checked_sub(response.size());
                room = left.unwrap_or(room);
                found.push(Found { at, name, kept: left.map(|_| Box::new(response)) });
            }
        }
        found.sort_unstable_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        Ok(found)
    }

    /// What a response of this bot says. None if it is another's, or none, or was copied to a name that is not its own.
    fn response_of(&self, name: &str) -> Result<Option<Response>, StoreError> {
        let path = self.identity.hive.responses().join(name);
        let file = match regular_file::open(&path) {
            Ok(file) => file,
            Err(error) if untrusted::is_shortage(&error) => return Err(error.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                tracing::warn!(name, %error, "a response cannot be read");
                return Ok(None);
            }
        };
        let (text, is_cut) = beginning_of(file)?;
        let Ok((header, said)) = response::read(&text) else { return Ok(None) };
        let prompt = header.prompt.clone().unwrap_or_default();
        let Some(item) = item(header, &self.identity.bot, name) else { return Ok(None) };
        let is_its_name = Hive::response_names(&item.id, &self.identity.bot).iter().any(|own| own == name);
        if !is_its_name || is_control_id(&item.id) {
            return Ok(None);
        }
        let (content, is_longer) = content_of(said);
        let told = Told { content, content_truncated: is_cut || is_longer, steps: Steps::default() };
        Ok(Some(Response { item, prompt, told }))
    }

    /// The files in the archive, by the ids that their documents have. Those that cannot be read are none: what they say
    /// that responses do not is no loss.
    fn archive_by_id(&self) -> HashMap<ItemId, Vec<Archived>> {
        let mut archive: HashMap<ItemId, Vec<Archived>> = HashMap::new();
        let directory = self.identity.hive.archive(&self.identity.bot);
        let Ok(entries) = std::fs::read_dir(&directory) else { return archive };
        for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some(archived) = self.archived(&directory, name) {
                archive.entry(archived.head.document.id.clone()).or_default().push(archived);
            }
        }
        archive
    }

    fn archived(&self, directory: &Path, name: String) -> Option<Archived> {
        let path = directory.join(&name);
        let bytes = untrusted::read(&path, MAX_TASK_BYTES + 1).ok()?;
        let modified = Stamp::from(path.symlink_metadata().ok()?.modified().ok()?);
        let mut document = task::read(&bytes, &self.reading(&name, modified)).ok()?;
        let digest = document.digest();
        document.instruction = String::new();
        Some(Archived { name, modified, head: TaskHead { document, digest } })
    }
}

/// After which task one is called that has no file of its id: `PLAN` of `PLAN.r2`.
fn first_of(id: &ItemId) -> Option<ItemId> {
    numbered(id, ".r")
}

/// The id before a mark and a number.
fn numbered(id: &ItemId, mark: &str) -> Option<ItemId> {
    let (first, number) = id.as_str().rsplit_once(mark)?;
    number.parse::<u64>().ok().and_then(|_| ItemId::parse(first).ok())
}

/// The text of a document, as much of it as is looked at, and whether there is more.
fn beginning_of(mut file: File) -> io::Result<(String, bool)> {
    let mut bytes = Vec::new();
    file.by_ref().take(MOST_READ).read_to_end(&mut bytes)?;
    let is_cut = file.metadata()?.len() > MOST_READ;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), is_cut))
}

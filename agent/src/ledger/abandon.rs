//! A ledger that is damaged (SPEC 12): what can still be read of it that no file says is salvaged into files, its
//! database is set aside, and the next ledger is rebuilt from what is there then.

use std::io;

use anyhow::Context as _;
use hive_shared::api::code;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::task::{self, NewTask};
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};

use crate::document::Document;
use crate::outbox::{Backing, publish};
use crate::store::{self, Item, Salvaged, StoreError};
use crate::{atomic_file, response};

/// What became of a ledger.
#[derive(Debug, Default)]
pub struct Loss {
    /// In words, for people.
    pub what: String,
    /// The prompts that waited in it. Their clients come back for them, and nothing on disk could say them.
    pub prompts: Vec<Salvaged>,
}

/// Salvages what it can of a bot's ledger and sets its database aside. Returns what became of it. All of it can be done
/// again.
pub(crate) fn abandon(hive: &Hive, bot: &BotId, damage: &anyhow::Error) -> anyhow::Result<Loss> {
    // They may be what is gone.
    hive.create(Some(bot))
        .with_context(|| format!("the hive at {} cannot be written", hive.root().display()))?;
    let database = hive.database(bot);
    let mut saved = 0;
    // What another bot has to do is not this one's.
    let is_ours = !matches!(damage.root_cause().downcast_ref(), Some(StoreError::Foreign(_)));
    let items = if is_ours { store::salvage(&database) } else { Vec::new() };
    let (prompts, items): (Vec<_>, Vec<_>) = items.into_iter().partition(still_waits);
    for salvaged in items {
        let id = salvaged.item.id.clone();
        match save(hive, bot, salvaged) {
            Ok(true) => saved += 1,
            Ok(false) => {}
            // The others may still be.
            Err(error) => {
                tracing::error!(item = %id, error = %error, "it cannot be saved from the damaged database");
            }
        }
    }
    nix::unistd::syncfs(std::fs::File::open(hive.responses())?)?;
    let aside = store::set_aside(&database, Stamp::now())
        .with_context(|| format!("the damaged database {} cannot be set aside", database.display()))?;
    std::fs::File::open(hive.state())?.sync_all()?;
    let what = match aside {
        None => "the database was gone".to_owned(),
        Some(aside) => {
            let name = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let what = damage.root_cause();
            if is_ours {
                format!("the database was damaged ({what:#}), and is set aside as {name}")
            } else {
                format!("{what:#}, and is set aside as {name}")
            }
        }
    };
    let saved = saved + prompts.len();
    tracing::error!(saved, "{what}");
    let what = match saved {
        0 => what,
        saved => format!("{what}; {saved} items that had not come to rest were saved from it"),
    };
    Ok(Loss { what, prompts })
}

/// Whether it is a prompt that was not begun.
fn still_waits(Salvaged { item, instruction, .. }: &Salvaged) -> bool {
    let waits = !item.status.is_final() && !item.is_under_way();
    item.source == Source::Chat && waits && instruction.is_some()
}

/// Writes the file that says what the ledger alone knew of an item. Returns whether there was anything to write.
fn save(hive: &Hive, bot: &BotId, salvaged: Salvaged) -> io::Result<bool> {
    let Salvaged { item, body, instruction, partial } = salvaged;
    let name = item.response_file.clone().unwrap_or_else(|| Hive::response_name(&item.id));
    let document = match (body, item.source) {
        (Some(document), _) => document.into(),
        (None, Source::Chat) if !item.status.is_final() => Document::new(
            response::head(&cut_off(item.clone()), bot, instruction),
            partial.into(),
            String::new(),
        ),
        (None, Source::File) if !item.status.is_final() => {
            return instruction.map_or(Ok(false), |instruction| save_task(hive, bot, &item, instruction));
        }
        (None, Source::Chat | Source::File | Source::Control) => return Ok(false),
    };
    publish(hive, bot, &item.id, &name, &document, Backing::Nowhere).map(|_| true)
}

/// A prompt that the damage cut off: what ran is never run again, and what waited has lost its place.
fn cut_off(item: Item) -> Item {
    let (status, error) = if item.is_under_way() {
        (Status::Incomplete, "the database was damaged in the middle of the answer")
    } else {
        (Status::Cancelled, "the database was damaged while it waited")
    };
    let error_code = Some(code::CRASHED.to_owned());
    Item { status, error: Some(error.to_owned()), error_code, ended_at: Some(Stamp::now()), ..item }
}

/// A task that was started and whose file was taken away since goes on from what it was told.
fn save_task(hive: &Hive, bot: &BotId, item: &Item, instruction: String) -> io::Result<bool> {
    let directory = hive.tasks(bot);
    let is_there = |name: &str| directory.join(name).symlink_metadata().is_ok();
    let name = format!("{}.md", item.id);
    if item.file.as_deref().is_some_and(is_there) || is_there(&name) {
        return Ok(false);
    }
    let document = task::write(&NewTask {
        id: item.id.clone(),
        instruction,
        title: Some(item.title.clone()),
        priority: Some(item.priority),
        from: Some(item.detail.from.clone()),
        to: bot.clone(),
        created: item.detail.created.unwrap_or(item.seen_at),
        limit: Some(item.detail.limit),
        interruptible: Some(item.detail.interruptible),
        depends_on: item.detail.depends_on.clone(),
        retry_of: item.detail.retry_of.clone(),
    });
    let document = document.map_err(io::Error::other)?;
    atomic_file::write_new(&directory.join(&name), document.as_bytes(), bot).map(|()| true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::anyhow;
    use hive_shared::ids::ItemId;
    use hive_shared::response as documents;

    use super::*;
    use crate::store::{Detail, KeepTrying, Store};

    fn put(store: &mut Store, id: &str, source: Source, status: Status, file: Option<&str>) -> i64 {
        let detail = Detail {
            sender: (source == Source::Chat).then(|| "dana".into()),
            limit: Duration::from_secs(60),
            interruptible: true,
            ..Detail::default()
        };
        let mut item = Item {
            status,
            file: file.map(str::to_owned),
            ..Item::new(ItemId::parse(id).unwrap(), source, "A title".into(), "d".into(), detail)
        };
        store.put_item(&mut item).unwrap();
        store.put_instruction(item.arrival, format!("do {id}")).unwrap();
        item.arrival
    }

    #[test]
    fn what_only_the_ledger_knew_is_in_files_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path().to_owned()), BotId::parse("BOT-1").unwrap());
        hive.create(Some(&bot)).unwrap();
        let mut store = Store::open(&hive.database(&bot), Box::new(|_| KeepTrying::No)).unwrap();
        let file = |name: &str| std::fs::write(hive.tasks(&bot).join(name), "its file").unwrap();
        let ended = put(&mut store, "ENDED", Source::File, Status::Completed, Some("ENDED.md"));
        store.put_body(ended, "---\nschema: 1\n---\nthe answer".to_owned().into()).unwrap();
        put(&mut store, "RUNS", Source::File, Status::Running, Some("RUNS.md"));
        put(&mut store, "MOVED", Source::File, Status::Running, Some("plan.md"));
        let talks = put(&mut store, "TALKS", Source::Chat, Status::Running, None);
        store.put_partial(talks, 0, "so far".into()).unwrap();
        put(&mut store, "ASKS", Source::Chat, Status::Queued, None);
        store.commit().unwrap();
        drop(store);
        file("ENDED.md");
        file("RUNS.md");

        let Loss { what, prompts } = abandon(&hive, &bot, &anyhow!("it is torn")).unwrap();
        assert!(what.contains("it is torn") && what.contains("4 items"), "{what}");
        assert!(!hive.database(&bot).exists());
        let response = |id: &str| {
            let name = Hive::response_name(&ItemId::parse(id).unwrap());
            std::fs::read_to_string(hive.responses().join(name)).unwrap()
        };
        assert!(response("ENDED").ends_with("the answer"));
        let document = response("TALKS");
        let (header, text) = documents::read(&document).unwrap();
        assert_eq!((header.status, text), (Status::Incomplete, "so far"));
        assert_eq!(header.prompt, Some("do TALKS".to_owned()));
        let waits: Vec<_> =
            prompts.iter().map(|it| (it.item.id.as_str(), it.instruction.as_deref())).collect();
        assert_eq!(waits, [("ASKS", Some("do ASKS"))]);
        let moved = std::fs::read_to_string(hive.tasks(&bot).join("MOVED.md")).unwrap();
        assert!(moved.ends_with("do MOVED"), "{moved}");
        assert_eq!(std::fs::read_to_string(hive.tasks(&bot).join("RUNS.md")).unwrap(), "its file");
        assert_eq!(std::fs::read_dir(hive.responses()).unwrap().count(), 2);
    }
}

//! The ledger as the daemon holds it: what it does while the disk takes nothing, and when it is of no use any more.

mod abandon;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;

use crate::disk_state::DiskState;
use crate::store::{KeepTrying, Store, StoreError, Trouble};
use crate::witness::{Testimony, Witness};

/// A ledger that was opened.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// Tells how far it comes.
    pub(crate) witness: Witness,
    /// Why it does not know all that it should, if it does not: its timeline is another one then.
    pub(crate) lacks: Option<String>,
}

pub(crate) use abandon::Loss;
pub(crate) use abandon::abandon;

/// Opens it. Writes that the disk does not take are tried again until the bot is to stop, by a signal or by its stop
/// file; meanwhile `disk` says why.
pub(crate) fn open(
    hive: &Hive,
    bot: &BotId,
    stopping: &Arc<AtomicBool>,
    disk: &DiskState,
) -> anyhow::Result<Opened> {
    let (database, stop_file) = (hive.database(bot), hive.stop_file(bot));
    let (stopping, disk) = (Arc::clone(stopping), disk.clone());
    let mut in_trouble = false;
    let trouble = move |error: Option<&StoreError>| {
        match error {
            Some(error) if !in_trouble => {
                let source = std::error::Error::source(error);
                tracing::error!(error = %error, source = ?source, "the database cannot be written; waiting");
            }
            None if in_trouble => tracing::info!("the database can be written again"),
            Some(_) | None => {}
        }
        in_trouble = error.is_some();
        let reason = error.map(|error| {
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
        });
        disk.set_ledger(reason);
        // The driver, which looks at that file else, waits here.
        let is_told = || stopping.load(Ordering::Relaxed) || stop_file.symlink_metadata().is_ok();
        if in_trouble && is_told() { KeepTrying::No } else { KeepTrying::Yes }
    };
    opened(hive, bot, Box::new(trouble))
        .with_context(|| format!("the database {} cannot be opened", database.display()))
}

fn opened(hive: &Hive, bot: &BotId, trouble: Trouble) -> Result<Opened, StoreError> {
    let mut store = Store::open(&hive.database(bot), trouble)?;
    store.claim(bot)?;
    let told = Testimony::read(&hive.witness(bot));
    let lacks = told.as_ref().filter(|_| !store.is_made()).and_then(|told| lacks(told, &store));
    if let Some(why) = &lacks {
        tracing::error!(why, "the ledger begins another timeline");
        store.begin_anew()?;
    }
    if let Some(boot) = this_boot() {
        store.opened_on(&boot)?;
    }
    let mut witness = Witness::new(hive, bot, store.epoch());
    if told.is_none_or(|told| told.epoch != store.epoch()) {
        // From now on it is this ledger that is spoken of.
        witness.tell(store.seq());
    }
    Ok(Opened { store, witness, lacks })
}

/// Which boot of the machine this is, where that can be told.
fn this_boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty() && !id.contains(' '))
}

/// What a ledger lacks of what it was once known to have.
fn lacks(told: &Testimony, store: &Store) -> Option<String> {
    if told.epoch != store.epoch() {
        return Some(
            "the ledger is not the one that the bot had last: another was put in its place".to_owned(),
        );
    }
    (told.seq > store.seq()).then(|| {
        let (had, has) = (told.seq, store.seq());
        format!("the ledger is a copy from an earlier day: it had come to {had} changes, and has {has}")
    })
}

/// Whether a life ended because its ledger is of no use any more: the next one begins with another.
pub(crate) fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(StoreError::is_damage))
}

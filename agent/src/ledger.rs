//! The ledger as the daemon holds it: what it does while the disk takes nothing, and when it is of no use any more.

mod abandon;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use anyhow::Context as _;

use crate::hub::DiskState;
use crate::store::{KeepTrying, Store, StoreError};

pub(crate) use abandon::abandon;

/// Opens it. Writes that the disk does not take are tried again until the bot is to stop, by a signal or by its stop
/// file; meanwhile `disk` says why.
pub(crate) fn open(
    database: &Path,
    stop_file: PathBuf,
    stopping: &Arc<AtomicBool>,
    disk: &DiskState,
) -> anyhow::Result<Store> {
    let (stopping, disk) = (Arc::clone(stopping), Arc::clone(disk));
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
        *disk.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        // The driver, which looks at that file else, waits here.
        let is_told = || stopping.load(Ordering::Relaxed) || stop_file.symlink_metadata().is_ok();
        if in_trouble && is_told() { KeepTrying::No } else { KeepTrying::Yes }
    };
    let store = Store::open(database, Box::new(trouble));
    store.with_context(|| format!("the database {} cannot be opened", database.display()))
}

/// Whether a life ended because its ledger is of no use any more: the next one begins with another.
pub(crate) fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(StoreError::is_damage))
}

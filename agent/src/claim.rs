//! What makes a process the one that runs a bot: the lock; and files that get their names in one step.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hive_shared::api::BotRecord;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;

use crate::aside;

/// How long the lock of a bot may be held by what is left of a life that was killed.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// Between two tries to take it.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Takes the lock that decides which process runs the bot.
pub(crate) fn lock(hive: &Hive, bot: &BotId) -> anyhow::Result<File> {
    let path = hive.lock(bot);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("the lock {} cannot be opened", path.display()))?;
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A child that a killed life had forked holds the lock until it executes its program.
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => std::thread::sleep(LOCK_RETRY),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("the lock {} cannot be taken", path.display()));
            }
        }
    }
    let record = std::fs::read(hive.bot_record(bot)).ok();
    match record.and_then(|bytes| serde_json::from_slice::<BotRecord>(&bytes).ok()) {
        Some(BotRecord { pid, host, url, .. }) => {
            bail!("{bot} is run already, by process {pid} on {host} at {url}")
        }
        None => bail!("{bot} is run already, by a process that is just starting"),
    }
}

/// Writes a file in one step, readable by its owner alone.
pub(crate) fn write_whole(path: &Path, content: &[u8], bot: &BotId) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = aside::file_in(directory, bot)?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

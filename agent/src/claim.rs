//! What makes a process the one that runs a bot: the locks.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hive_shared::api::BotRecord;
use hive_shared::client::read_record;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use nix::libc::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

/// How long the lock of a bot may be held by what is left of a life that was killed.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// Between two tries to take it.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// What says that this process runs the bot, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Claim {
    _locks: Vec<File>,
}

/// Takes the locks that decide which process runs the bot.
pub(crate) fn lock(hive: &Hive, bot: &BotId) -> anyhow::Result<Claim> {
    let [file, directory] = hive.locks(bot);
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    // A pipe that lies there has no reader to be waited for, and a link leads to what may be another hive's.
    options.custom_flags(O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    let opened = options.open(&file);
    let opened = opened.with_context(|| format!("the lock {} cannot be opened", file.display()))?;
    if !take(&opened).with_context(|| format!("the lock {} cannot be taken", file.display()))? {
        return refuse(hive, bot);
    }
    let mut locks = vec![opened];
    match File::open(&directory).and_then(|opened| Ok((take(&opened)?, opened))) {
        Ok((true, opened)) => locks.push(opened),
        Ok((false, _)) => return refuse(hive, bot),
        // Not every file system locks directories; the file alone decides there.
        Err(error) => tracing::debug!(directory = %directory.display(), %error, "it cannot be locked"),
    }
    Ok(Claim { _locks: locks })
}

/// Whether the lock could be had.
fn take(file: &File) -> io::Result<bool> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            // A child that a killed life had forked holds the lock until it executes its program.
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => std::thread::sleep(LOCK_RETRY),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Somebody else runs it.
fn refuse(hive: &Hive, bot: &BotId) -> anyhow::Result<Claim> {
    match read_record(hive, bot).ok().flatten() {
        Some(BotRecord { pid, host, url, .. }) => {
            bail!("{bot} is run already, by process {pid} on {host} at {url}")
        }
        None => bail!("{bot} is run already, by a process that is just starting"),
    }
}

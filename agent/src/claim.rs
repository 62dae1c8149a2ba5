//! What makes a process the one that runs a bot: the lock, and the token that clients show it.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use hive_shared::api::BotRecord;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use nix::unistd::geteuid;

use crate::{aside, untrusted};

/// How long the lock of a bot may be held by what is left of a life that was killed.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// Between two tries to take it.
const LOCK_RETRY: Duration = Duration::from_millis(10);
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// The most bytes of a token's file that are read.
const LONGEST_TOKEN: u64 = 4_096;

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

/// The bot's token: the one that is there, else a new one.
pub(crate) fn token(hive: &Hive, bot: &BotId) -> anyhow::Result<String> {
    let path = hive.token(bot);
    match known_token(&path) {
        Ok(Some(token)) => return Ok(token),
        Ok(None) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("the token {} cannot be read", path.display()));
        }
    }
    let mut random = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
    write_whole(&path, token.as_bytes(), bot)
        .with_context(|| format!("the token {} cannot be written", path.display()))?;
    Ok(token)
}

/// The token in a file, if it is one that nobody else knows: others may neither have read the file nor have written it.
fn known_token(path: &Path) -> io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt as _;
    let file = untrusted::open(path)?;
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may have read or written the token: a new one is made");
        return Ok(None);
    }
    let mut text = String::new();
    file.take(LONGEST_TOKEN).read_to_string(&mut text)?;
    Ok(Some(text.trim().to_owned()).filter(|token| token.len() >= TOKEN_BYTES))
}

/// Writes a file in one step, readable by its owner alone.
pub(crate) fn write_whole(path: &Path, content: &[u8], bot: &BotId) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = aside::file_in(directory, bot)?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

//! The token that clients show the bot. Its file is the truth: whoever changes it changes who may come in, and the bot
//! need not be started anew for it.

use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use base64::Engine as _;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use nix::unistd::geteuid;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::atomic_file;
use crate::file_id::FileState;

/// Random bytes of a token that is made here, and the fewest letters of one that is believed.
const TOKEN_BYTES: usize = 32;
/// The most bytes of a token's file that are read.
const LONGEST_TOKEN: u64 = 4_096;
/// A file that has changed so lately may change again without its times telling: file systems count in ticks.
const TICK: Duration = Duration::from_secs(2);

/// How often another token has come to count since the bot started. Who was let in by one may stay until it is the
/// next one's turn.
pub(crate) type Generation = u64;

/// The token that counts: what the file holds, or has held last while it holds none that can be believed.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    held: Mutex<Held>,
    generation: watch::Sender<Generation>,
}

struct Held {
    token: String,
    /// The file as it was when it was read; none if it must be read again in any case.
    file: Option<FileState>,
    /// Why the file is not believed, if that was logged.
    told: Option<String>,
}

impl TokenFile {
    /// The token of a bot that starts: the one that is there, else a new one in a new file.
    pub(crate) fn open(hive: &Hive, bot: &BotId) -> anyhow::Result<Self> {
        let path = hive.token(bot);
        let known = match read(&path) {
            Ok((token, _)) => Some(token),
            Err(Unusable::Missing) => None,
            Err(Unusable::NotSecret) => {
                tracing::warn!(path = %path.display(), "{}: a new one is made", Unusable::NotSecret);
                None
            }
            Err(Unusable::NoToken) => {
                tracing::warn!(path = %path.display(), "{}: one is made", Unusable::NoToken);
                None
            }
            Err(Unusable::Io(error)) => {
                return Err(error).with_context(|| format!("the token {} cannot be read", path.display()));
            }
        };
        let token = match known {
            Some(token) => token,
            None => make(&path, bot)?,
        };
        Ok(Self::holding(path, token))
    }

    /// What counts is this token until the file at `path` says otherwise.
    pub(crate) fn holding(path: PathBuf, token: String) -> Self {
        let held = Mutex::new(Held { token, file: None, told: None });
        Self { path, held, generation: watch::Sender::new(0) }
    }

    /// Whether `given` is the token that counts now, and since when; compared in a time that says nothing of where they
    /// differ.
    pub(crate) fn admits(&self, given: &str) -> Option<Generation> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut held);
        let is_right: bool = held.token.as_bytes().ct_eq(given.as_bytes()).into();
        is_right.then(|| *self.generation.borrow())
    }

    /// Looks at the file though nobody has come. Where it is gone, it is put back: an agent that tidies up may have taken
    /// it away, and nobody could come in any more.
    pub(crate) fn look_after(&self, bot: &BotId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if self.path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            match atomic_file::write_new(&self.path, held.token.as_bytes(), bot) {
                Ok(()) => {
                    tracing::warn!(path = %self.path.display(), "the token's file was gone: it is put back");
                }
                // Somebody has put one there this moment, which counts.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "the token's file is gone and cannot be put back");
                }
            }
        }
        self.look(&mut held);
    }

    /// Which token counts now.
    pub(crate) fn generation(&self) -> Generation {
        self.look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner));
        *self.generation.borrow()
    }

    /// Waits until another token counts than that of `generation`, and somebody has noticed.
    pub(crate) async fn outlives(&self, generation: Generation) {
        // The sender is here.
        let _ = self.generation.subscribe().wait_for(|now| *now != generation).await;
    }

    /// Takes the file as it is now. Nothing of it is read while it is the one that was read before.
    fn look(&self, held: &mut Held) {
        let now = self.path.symlink_metadata().ok().map(|metadata| FileState::of(&metadata));
        if now.is_some() && now == held.file {
            return;
        }
        match read(&self.path) {
            Ok((token, file)) => {
                held.file = is_settled(file).then_some(file);
                held.told = None;
                if token != held.token {
                    held.token = token;
                    self.generation.send_modify(|generation| *generation += 1);
                    tracing::info!(
                        path = %self.path.display(),
                        "the token was changed: the new one counts, and who came with the old one must come again"
                    );
                }
            }
            Err(unusable) => {
                held.file = None;
                let reason = unusable.to_string();
                if held.told.as_ref() != Some(&reason) {
                    tracing::warn!(path = %self.path.display(), "{reason}: the last token goes on counting");
                    held.told = Some(reason);
                }
            }
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("file", &self.file).field("told", &self.told).finish_non_exhaustive()
    }
}

/// Whether the next change of a file in this state will show.
fn is_settled(file: FileState) -> bool {
    file.changed_at()
        .is_some_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > TICK))
}

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the token's file is gone")]
    Missing,
    #[error("others may have read or written the token (it must be yours, with mode 0600)")]
    NotSecret,
    #[error(
        "the token's file holds no token (at least {TOKEN_BYTES} ASCII letters, digits and signs, without spaces between them)"
    )]
    NoToken,
    #[error("the token's file cannot be read ({0})")]
    Io(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Io(error) }
    }
}

/// The token in a file, if it is one that nobody else knows: others may neither have read the file nor have written it.
fn read(path: &Path) -> Result<(String, FileState), Unusable> {
    let file = regular_file::open(path)?;
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
        return Err(Unusable::NotSecret);
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_TOKEN).read_to_end(&mut bytes)?;
    let token = bytes.trim_ascii();
    let is_token = |byte: &u8| byte.is_ascii_graphic();
    if token.len() < TOKEN_BYTES || !token.iter().all(is_token) {
        return Err(Unusable::NoToken);
    }
    Ok((String::from_utf8_lossy(token).into_owned(), FileState::of(&metadata)))
}

fn make(path: &Path, bot: &BotId) -> anyhow::Result<String> {
    let mut random = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
    atomic_file::write(path, token.as_bytes(), bot)
        .with_context(|| format!("the token {} cannot be written", path.display()))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    const FIRST: &str = "first-0123456789-0123456789-0123456789";
    const SECOND: &str = "second-0123456789-0123456789-012345678";

    struct Place {
        dir: tempfile::TempDir,
        file: TokenFile,
    }

    impl Place {
        /// A file that holds [`FIRST`].
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = TokenFile::holding(dir.path().join("token"), FIRST.to_owned());
            let place = Self { dir, file };
            place.put(FIRST, 0o600);
            place
        }

        fn path(&self) -> &Path {
            &self.file.path
        }

        /// As a careful program replaces a file.
        fn put(&self, text: &str, mode: u32) {
            let new = self.dir.path().join("new");
            fs::write(&new, text).unwrap();
            fs::set_permissions(&new, Permissions::from_mode(mode)).unwrap();
            fs::rename(new, self.path()).unwrap();
        }

        #[track_caller]
        fn counts(&self, token: &str, generation: Generation) {
            for other in [FIRST, SECOND] {
                let expected = (other == token).then_some(generation);
                assert_eq!(self.file.admits(other), expected, "{other}");
            }
        }
    }

    #[test]
    fn what_the_file_holds_counts_however_it_was_changed() {
        let place = Place::new();
        place.counts(FIRST, 0);
        place.put(SECOND, 0o600);
        place.counts(SECOND, 1);
        // Of the same length, in the same file, within the same tick.
        for generation in 1..20 {
            let token = if generation % 2 == 1 { FIRST } else { SECOND };
            fs::write(place.path(), format!("{token}\n")).unwrap();
            place.counts(token, generation + 1);
        }
        // What says the same changes nothing.
        place.put(FIRST, 0o600);
        place.counts(FIRST, 20);
    }

    #[test]
    fn a_file_that_cannot_be_believed_leaves_the_last_token() {
        let place = Place::new();
        place.counts(FIRST, 0);
        fs::remove_file(place.path()).unwrap();
        place.counts(FIRST, 0);
        place.put(SECOND, 0o644);
        place.counts(FIRST, 0);
        for text in ["", "short", &format!("{SECOND} {SECOND}"), &"ä".repeat(40)] {
            place.put(text, 0o600);
            place.counts(FIRST, 0);
        }
        let elsewhere = place.dir.path().join("elsewhere");
        place.put(SECOND, 0o600);
        fs::rename(place.path(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, place.path()).unwrap();
        place.counts(FIRST, 0);
        fs::rename(&elsewhere, place.path()).unwrap();
        place.counts(SECOND, 1);
    }

    #[test]
    fn a_mode_that_is_put_right_makes_the_token_count() {
        let place = Place::new();
        place.put(SECOND, 0o640);
        place.counts(FIRST, 0);
        fs::set_permissions(place.path(), Permissions::from_mode(0o600)).unwrap();
        place.counts(SECOND, 1);
    }

    #[test]
    fn a_file_that_has_not_changed_for_long_is_not_read() {
        let place = Place::new();
        let metadata = place.path().metadata().unwrap();
        // As if it had been read long after it was written: what it holds now was there then.
        place.file.held.lock().unwrap().file = Some(FileState::of(&metadata));
        place.file.held.lock().unwrap().token = SECOND.to_owned();
        place.counts(SECOND, 0);
        place.put(FIRST, 0o600);
        place.counts(FIRST, 1);
    }

    #[tokio::test]
    async fn who_waits_for_the_next_token_learns_of_it() {
        let place = Place::new();
        let generation = place.file.admits(FIRST).unwrap();
        place.put(SECOND, 0o600);
        assert_eq!(place.file.generation(), generation + 1);
        place.file.outlives(generation).await;
    }

    #[test]
    fn a_token_is_never_shown() {
        let place = Place::new();
        assert!(!format!("{:?}", place.file).contains(FIRST));
    }

    #[test]
    fn a_bot_that_starts_makes_a_token_where_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        let bot = BotId::parse("BOT-002").unwrap();
        hive.create(Some(&bot)).unwrap();
        TokenFile::open(&hive, &bot).unwrap();
        let made = fs::read_to_string(hive.token(&bot)).unwrap();
        assert!(made.len() >= TOKEN_BYTES && hive.token(&bot).metadata().unwrap().mode() & 0o777 == 0o600);
        assert_eq!(TokenFile::open(&hive, &bot).unwrap().admits(&made), Some(0));
        fs::write(hive.token(&bot), "short").unwrap();
        let file = TokenFile::open(&hive, &bot).unwrap();
        let again = fs::read_to_string(hive.token(&bot)).unwrap();
        assert!(again != made && again != "short");
        assert_eq!((file.admits(&again), file.admits(&made)), (Some(0), None));
    }
}

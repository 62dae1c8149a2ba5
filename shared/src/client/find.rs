//! Where a bot listens and what opens its door: from the hive on this machine, or a URL and a token (SPEC 9, 10).

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::FindError;
use crate::api::BotRecord;
use crate::ids::BotId;
use crate::paths::Hive;
use crate::regular_file;
use crate::running::is_run;
use crate::settings::MAX_SETTINGS;

/// Where bots are looked for. It is asked again at every reconnect, as a bot that starts anew has another port.
#[derive(Debug, Clone)]
pub enum Locator {
    /// The bots of a hive on this machine, each by its record.
    Hive(Hive),
    /// One bot, wherever it is.
    Remote(Endpoint),
}

impl Locator {
    /// The bots of this hive.
    pub fn hive(hive: Hive) -> Self {
        Self::Hive(hive)
    }

    /// Where `bot` should be; whether it answers there, only a call can tell.
    pub fn endpoint(&self, bot: &BotId) -> Result<Endpoint, FindError> {
        match self {
            Self::Hive(hive) => Endpoint::in_hive(hive, bot),
            Self::Remote(endpoint) => Ok(endpoint.clone()),
        }
    }

    /// Whether the address of `bot` is still its own. On this machine it is as long as somebody runs the bot; after
    /// that, whoever comes to listen there is a stranger, who must not get its token. The user vouches for a URL.
    pub(super) fn still_there(&self, bot: &BotId) -> Result<(), FindError> {
        match self {
            Self::Hive(hive) if !is_run(hive, bot) => Err(FindError::NoRecord(bot.clone())),
            Self::Hive(_) | Self::Remote(_) => Ok(()),
        }
    }
}

/// A bearer token. It is never shown.
#[derive(Clone)]
pub struct Token {
    text: String,
    file: Option<TokenFile>,
}

/// Where a token was read, and is read again when the bot does not know it any more.
#[derive(Clone)]
enum TokenFile {
    /// The user vouches for it.
    Vouched(PathBuf),
    /// It is the hive's own.
    Private(PathBuf),
}

impl Token {
    /// Takes the text of a token; space around it is dropped.
    pub fn new(text: &str) -> Result<Self, FindError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(FindError::BadToken);
        }
        Ok(Self { text: text.to_owned(), file: None })
    }

    /// Reads a token from a file that the caller vouches for.
    pub fn read(path: &Path) -> Result<Self, FindError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FindError::Io { path: path.into(), source })?;
        Ok(Self { file: Some(TokenFile::Vouched(path.into())), ..Self::new(&text)? })
    }

    /// Reads the token of a hive's bot: refused unless it is the user's own and closed to all others.
    fn read_private(path: &Path) -> Result<Self, FindError> {
        let io = |source| FindError::Io { path: path.into(), source };
        let file = regular_file::open(path).map_err(io)?;
        let meta = file.metadata().map_err(io)?;
        if meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            return Err(FindError::UnsafeToken(path.into()));
        }
        let text = io::read_to_string(file).map_err(io)?;
        Ok(Self { file: Some(TokenFile::Private(path.into())), ..Self::new(&text)? })
    }

    /// The token that is in its file now; none if it did not come from one.
    fn read_again(&self) -> Option<Result<Self, FindError>> {
        self.file.as_ref().map(|file| match file {
            TokenFile::Vouched(path) => Self::read(path),
            TokenFile::Private(path) => Self::read_private(path),
        })
    }

    fn bearer(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.text))
            .expect("a token has graphic characters only");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// An address and the token that opens it. Clones share the token, should it be changed.
#[derive(Debug, Clone)]
pub struct Endpoint {
    url: Url,
    token: Arc<Mutex<Token>>,
    trust: Trust,
}

/// Whose word it is that a bot is the one that is meant, where the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// That of those whom the machine trusts.
    Machine,
    /// That of the certificates in a PEM file, and nobody else. One of them may be the bot's own, whatever name that is
    /// for.
    These(PathBuf),
    /// It shows the very certificate that comes first in a PEM file, whoever vouches for that and whatever name it is
    /// for.
    Exactly(PathBuf),
}

impl Endpoint {
    /// A bot at a URL such as `https://build-7:8443`. `ca` is a PEM file of the certificates to trust; without it,
    /// those that the machine trusts.
    pub fn remote(url: &str, token: Token, ca: Option<PathBuf>) -> Result<Self, FindError> {
        let bad = || FindError::BadUrl(without_user(url));
        let mut url = Url::parse(url.trim()).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(bad());
        }
        // The token alone opens the door; a password must not come up where the address is told.
        if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
            return Err(bad());
        }
        let token = Arc::new(Mutex::new(token));
        Ok(Self { url, token, trust: ca.map_or(Trust::Machine, Trust::These) })
    }

    /// A bot of a hive on this machine, by its record and token file. The record of a bot that nobody runs counts for
    /// nothing.
    pub fn in_hive(hive: &Hive, bot: &BotId) -> Result<Self, FindError> {
        let record = if is_run(hive, bot) { read_record(hive, bot)? } else { None };
        let record = record.ok_or_else(|| FindError::NoRecord(bot.clone()))?;
        let url = Url::parse(&record.url).map_err(|_| FindError::BadUrl(record.url.clone()))?;
        if !matches!(url.scheme(), "http" | "https") || !is_loopback(&url) {
            return Err(FindError::NotLoopback { bot: bot.clone(), url: record.url });
        }
        let trust = record.certificate.map_or(Trust::Machine, Trust::Exactly);
        let token = Arc::new(Mutex::new(Token::read_private(&hive.token(bot))?));
        Ok(Self { url, token, trust })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    pub(super) fn parsed(&self) -> &Url {
        &self.url
    }

    /// The value of the `Authorization` header.
    pub(super) fn bearer(&self) -> HeaderValue {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).bearer()
    }

    /// What to try after the bot has refused a bearer: another token that is in its file by now, or that a clone of
    /// this has found there.
    pub(super) fn bearer_after(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>, FindError> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(again) = token.read_again() {
            *token = again?;
        }
        Ok(Some(token.bearer()).filter(|bearer| bearer != refused))
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Whether its token would be for all to read who are on the way: it is beyond this machine, and nothing is
    /// encrypted.
    pub fn is_exposed(&self) -> bool {
        // What is named so is this machine by all resolvers that keep to the rules, and is what tunnels end at.
        let is_here = self.is_loopback() || self.url.host_str() == Some("localhost");
        !self.is_encrypted() && !is_here
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

/// The text of a URL, even of one that is none, without the user and password that may stand before its host.
fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("//").unwrap_or(("", url));
    let authority = rest.find('/').unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    if scheme.is_empty() { rest[host..].to_owned() } else { format!("{scheme}//{}", &rest[host..]) }
}

/// Whether the host is written as a loopback address. A name, even `localhost`, is whatever a resolver says.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The most bytes that a record has.
const MAX_RECORD: usize = 64 * 1024;

/// Who runs a bot, as its record says; `None` without a record. A record may be stale: its process may be gone.
pub fn read_record(hive: &Hive, bot: &BotId) -> Result<Option<BotRecord>, FindError> {
    let path = hive.bot_record(bot);
    let bytes = match regular_file::read(&path, MAX_RECORD) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FindError::Io { path, source }),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| FindError::BadRecord { path, source })
}

/// The bots of a hive.
#[derive(Debug, Default)]
pub struct Bots {
    /// All there are, by id.
    pub ids: BTreeSet<BotId>,
    /// Why the settings could not be read, if so. Bots that only the settings know are missing then; the others are
    /// still worth reaching, not least to stop them.
    pub settings_error: Option<String>,
}

/// Lists the bots of a hive: each that has a table in the settings, a task directory or a `bots/*.json` (SPEC 10).
pub fn list_bots(hive: &Hive) -> Bots {
    let mut bots = Bots::default();
    let path = hive.settings();
    match regular_file::read_text_behind_links(&path, MAX_SETTINGS).map(|text| text.parse::<toml::Table>()) {
        Ok(Ok(table)) => {
            let tables = table.get("bots").and_then(toml::Value::as_table);
            bots.ids
                .extend(tables.into_iter().flat_map(toml::Table::keys).filter_map(|k| BotId::parse(k).ok()));
        }
        Ok(Err(e)) => bots.settings_error = Some(format!("{}: {}", path.display(), e.message())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => bots.settings_error = Some(format!("{}: {e}", path.display())),
    }
    let names = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in names(hive.all_tasks()) {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            bots.ids.extend(entry.file_name().to_str().and_then(|name| BotId::parse(name).ok()));
        }
    }
    for entry in names(hive.bots()) {
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".json"));
        bots.ids.extend(stem.and_then(|stem| BotId::parse(stem).ok()));
    }
    bots
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A bot that is run, as long as the file is kept.
    fn hive_with_record(url: &str, mode: u32) -> ((tempfile::TempDir, File), Hive, BotId) {
        let dir = tempfile::tempdir().unwrap();
        let hive = Hive::at(dir.path());
        let bot = BotId::parse("BOT-002").unwrap();
        hive.create(Some(&bot)).unwrap();
        let record = format!(
            r#"{{"bot_id":"BOT-002","url":"{url}","host":"h","pid":1,"mode":"hybrid","adapter":"echo",
                "started_at":"2026-11-22T18:05:27Z","version":"0.1.0","protocol":1}}"#
        );
        std::fs::write(hive.bot_record(&bot), record).unwrap();
        std::fs::write(hive.token(&bot), "c2VjcmV0\n").unwrap();
        std::fs::set_permissions(hive.token(&bot), std::fs::Permissions::from_mode(mode)).unwrap();
        let lock = File::create(hive.lock(&bot)).unwrap();
        lock.try_lock().unwrap();
        ((dir, lock), hive, bot)
    }

    #[test]
    fn a_password_in_a_url_is_never_told() {
        let token = Token::new("secret").unwrap();
        let endpoint = Endpoint::remote("https://dana:hunter2@build-7:8443", token, None).unwrap();
        assert_eq!(endpoint.url(), "https://build-7:8443");
    }

    #[test]
    fn a_token_goes_to_loopback_addresses_only() {
        for url in ["http://127.0.0.1:4000", "https://[::1]:4000", "http://127.8.8.8:1"] {
            let (_dir, hive, bot) = hive_with_record(url, 0o600);
            let endpoint = Endpoint::in_hive(&hive, &bot).unwrap();
            assert_eq!(endpoint.url(), url);
            assert!(!format!("{endpoint:?}").contains("c2VjcmV0"));
        }
        for url in
            ["http://10.0.0.7:4000", "http://localhost.evil.example", "http://localhost:1", "file:///etc"]
        {
            let (_dir, hive, bot) = hive_with_record(url, 0o600);
            assert!(matches!(Endpoint::in_hive(&hive, &bot), Err(FindError::NotLoopback { .. })), "{url}");
        }
    }

    #[test]
    fn a_record_counts_as_long_as_somebody_runs_the_bot_of_this_very_hive() {
        let ((dir, lock), hive, bot) = hive_with_record("http://127.0.0.1:4000", 0o600);
        let locator = Locator::hive(hive.clone());
        assert!(Endpoint::in_hive(&hive, &bot).is_ok() && locator.still_there(&bot).is_ok());
        let copy = Hive::at(dir.path().join("copy"));
        copy.create(Some(&bot)).unwrap();
        for (from, to) in [
            (hive.bot_record(&bot), copy.bot_record(&bot)),
            (hive.token(&bot), copy.token(&bot)),
            (hive.lock(&bot), copy.lock(&bot)),
        ] {
            std::fs::copy(from, to).unwrap();
        }
        assert!(matches!(Endpoint::in_hive(&copy, &bot), Err(FindError::NoRecord(_))));
        lock.unlock().unwrap();
        assert!(matches!(Endpoint::in_hive(&hive, &bot), Err(FindError::NoRecord(_))));
        assert!(matches!(locator.still_there(&bot), Err(FindError::NoRecord(_))));
    }

    #[test]
    fn no_password_is_told() {
        for (url, told) in [
            ("ftp://dana:secret@host:1/x@y", "ftp://host:1/x@y"),
            ("dana:secret@host", "host"),
            ("htp:/host", "htp:/host"),
        ] {
            let error = Endpoint::remote(url, Token::new("t").unwrap(), None).unwrap_err();
            assert!(matches!(&error, FindError::BadUrl(shown) if shown == told), "{error:?}");
        }
    }

    #[test]
    fn a_token_that_others_may_read_is_refused() {
        let (_dir, hive, bot) = hive_with_record("http://127.0.0.1:4000", 0o640);
        assert!(matches!(Endpoint::in_hive(&hive, &bot), Err(FindError::UnsafeToken(_))));
    }

    #[test]
    fn bots_are_those_with_settings_a_task_directory_or_a_record() {
        let (_dir, hive, _) = hive_with_record("http://127.0.0.1:4000", 0o600);
        std::fs::create_dir(hive.all_tasks().join("BOT-003")).unwrap();
        std::fs::create_dir(hive.all_tasks().join(".git")).unwrap();
        std::fs::write(hive.bots().join("BOT-004.json"), "{}").unwrap();
        std::fs::write(hive.settings(), "[bots.BOT-005]\nmode = 'hybrid'\n").unwrap();
        let ids: Vec<_> = list_bots(&hive).ids.iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["BOT-002", "BOT-003", "BOT-004", "BOT-005"]);

        std::fs::write(hive.settings(), "[bots.").unwrap();
        let bots = list_bots(&hive);
        assert!(bots.settings_error.is_some());
        assert_eq!(bots.ids.len(), 3);
    }
}

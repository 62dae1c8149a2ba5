//! The key of a server: from a variable or a file, to the server and nowhere else.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use hive_shared::regular_file;
use hive_shared::settings::OpenAiSettings;
use hive_shared::trust::{self, Secrecy, TrustError};
use reqwest::header::HeaderValue;

/// No key is longer.
const MAX_KEY: u64 = 64 * 1024;
/// What is shorter is no key, and would be found in words.
const SHORTEST_REDACTED: usize = 6;

/// A key. Its `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Key {
    secret: String,
    /// For people: where it came from.
    pub(super) origin: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why there is no key though the settings name one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The variable is not set.
    #[error("openai.api_key_env names the variable {0}, which is not set in the environment of hive-agent")]
    Unset(String),
    /// The file cannot be read.
    #[error("the key's file {path} cannot be read", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not to be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// What is there is none.
    #[error("{0} holds no key: a key is one line of ASCII letters, digits and signs")]
    NoKey(String),
}

impl Key {
    /// The key that the settings name, if they do: it is looked up anew for each use, so that it can be changed while
    /// the bot runs.
    pub(super) fn find(settings: &OpenAiSettings) -> Result<Option<Self>, KeyError> {
        let variable = settings.api_key_env.as_deref().filter(|name| !name.is_empty());
        if let Some(name) = variable
            && let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty())
        {
            return Self::checked(&value.to_string_lossy(), format!("the variable {name}")).map(Some);
        }
        match (&settings.api_key_file, variable) {
            (Some(path), _) => Self::read(path).map(Some),
            (None, Some(name)) => Err(KeyError::Unset(name.to_owned())),
            (None, None) => Ok(None),
        }
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let fail = |source| KeyError::Read { path: path.to_owned(), source };
        let file = regular_file::open_behind_links(path).map_err(fail)?;
        match trust::check_secret(path, &file)? {
            Secrecy::Kept => {}
            Secrecy::Open => {
                tracing::warn!(path = %path.display(), "everybody on this machine may read the file of the key");
            }
        }
        let mut text = String::new();
        file.take(MAX_KEY).read_to_string(&mut text).map_err(fail)?;
        Self::checked(&text, format!("the file {}", path.display()))
    }

    fn checked(text: &str, origin: String) -> Result<Self, KeyError> {
        let secret = text.trim();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::NoKey(origin));
        }
        Ok(Self { secret: secret.to_owned(), origin })
    }

    /// The header that shows it to the server and to no log.
    pub(super) fn header(&self) -> HeaderValue {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.secret))
            .expect("a key has characters that fit a header");
        header.set_sensitive(true);
        header
    }

    /// Takes the key out of a text that the server has sent.
    pub(super) fn redact(&self, text: &str) -> String {
        if self.secret.len() < SHORTEST_REDACTED {
            return text.to_owned();
        }
        text.replace(&self.secret, "***")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_does_not_show_itself() {
        let key = Key::checked(" sk-secret-1\n", "the variable K".to_owned()).unwrap();
        let header = key.header();
        assert_eq!(header.to_str().unwrap(), "Bearer sk-secret-1");
        assert!(!format!("{key:?} {header:?}").contains("secret"));
        assert_eq!(key.redact("you sent sk-secret-1, sk-secret-1."), "you sent ***, ***.");
    }

    #[test]
    fn a_key_is_read_from_a_file_that_can_be_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let settings = OpenAiSettings { api_key_file: Some(path.clone()), ..OpenAiSettings::default() };
        assert!(Key::find(&settings).unwrap_err().to_string().contains("cannot be read"));
        std::fs::write(&path, "sk-secret-1\n").unwrap();
        let chmod = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        chmod(0o600);
        assert_eq!(Key::find(&settings).unwrap().unwrap().secret, "sk-secret-1");
        chmod(0o602);
        assert!(Key::find(&settings).unwrap_err().to_string().contains("chmod"));
        chmod(0o600);
        for nonsense in ["", " \n", "one two", "one\ntwo", "schlüssel"] {
            std::fs::write(&path, nonsense).unwrap();
            assert!(matches!(Key::find(&settings), Err(KeyError::NoKey(_))), "{nonsense:?}");
        }
        assert!(Key::find(&OpenAiSettings::default()).unwrap().is_none());
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let api_key_env = Some("HIVE_TEST_NO_SUCH_KEY".to_owned());
        let error = Key::find(&OpenAiSettings { api_key_env, ..OpenAiSettings::default() }).unwrap_err();
        assert!(error.to_string().contains("HIVE_TEST_NO_SUCH_KEY"), "{error}");
    }
}

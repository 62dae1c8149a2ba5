//! Where the server is, and whether a key may travel there.

use reqwest::Url;

use super::SetupError;

/// The address of a server's chat completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// To send requests to.
    pub(super) url: Url,
    /// For people: without the query, which could hold what is not for all.
    pub(super) shown: String,
}

impl Place {
    /// The place that `base_url` means: with `/chat/completions` behind it, unless that is written there.
    pub(super) fn of(base_url: &str) -> Result<Self, SetupError> {
        let trimmed = base_url.trim();
        let mut url = Url::parse(trimmed).map_err(|error| SetupError::Url(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(SetupError::Url("it must begin with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SetupError::Url(
                "a name and password have no place in it: use openai.api_key_env or openai.api_key_file"
                    .to_owned(),
            ));
        }
        url.set_fragment(None);
        let is_whole = url.path().trim_end_matches('/').ends_with("/chat/completions");
        if let Ok(mut path) = url.path_segments_mut()
            && !is_whole
        {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Self { shown: shown.into(), url })
    }

    /// Whether what is sent is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        address.map_or_else(
            |_| host == "localhost" || host.ends_with(".localhost"),
            |address| address.to_canonical().is_loopback(),
        )
    }

    /// Whether nobody on the way can read a key.
    pub(super) fn keeps_secrets(&self) -> bool {
        self.is_encrypted() || self.is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_completed() {
        for (base, expected) in [
            ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1/chat/completions"),
            (" https://api.example.org/v1/ ", "https://api.example.org/v1/chat/completions"),
            ("http://h", "http://h/chat/completions"),
            ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
            ("https://h/x?api-version=2#top", "https://h/x/chat/completions?api-version=2"),
        ] {
            let place = Place::of(base).unwrap();
            assert_eq!(place.url.as_str(), expected);
            assert!(!place.shown.contains('?'));
        }
        for base in
            ["", "127.0.0.1:11434/v1", "ftp://h/v1", "http://", "https://me:key@h/v1", "https://key@h/v1"]
        {
            let error = Place::of(base).unwrap_err().to_string();
            assert!(!error.contains("key@"), "{error}");
        }
    }

    #[test]
    fn a_key_travels_encrypted_or_not_at_all() {
        for (base, safe) in [
            ("https://api.example.org/v1", true),
            ("http://127.0.0.1:1/v1", true),
            ("http://127.9.9.9/v1", true),
            ("http://[::1]:1/v1", true),
            ("http://LOCALHOST:1/v1", true),
            ("http://model.localhost/v1", true),
            ("http://api.example.org/v1", false),
            ("http://192.168.1.5/v1", false),
            ("http://localhost.example.org/v1", false),
            ("http://0.0.0.0/v1", false),
        ] {
            assert_eq!(Place::of(base).unwrap().keeps_secrets(), safe, "{base}");
        }
    }
}

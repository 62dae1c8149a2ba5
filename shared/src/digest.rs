//! What tells one content from another.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// SHA-256, in hexadecimal, of a value as JSON.
pub fn digest(content: &serde_json::Value) -> String {
    digest_of(content.to_string().as_bytes())
}

/// SHA-256, in hexadecimal, of bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // A String takes whatever is written to it.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

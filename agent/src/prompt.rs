//! What a prompt is called, and what makes two of them the same: alike for one that has just come and for one that a
//! response tells of.

use serde_json::json;

/// How many characters a title has at most.
const MAX_TITLE: usize = 80;

/// The first line that says something, cut.
pub(crate) fn title(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// What makes two prompts of one id the same: what is said, by whom, in which session.
pub(crate) fn digest(message: &str, user: &str, session: &str) -> String {
    hive_shared::digest::digest(&json!([message, user, session]))
}

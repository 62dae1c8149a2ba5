//! The timeline: entries, pages of them, and what changed.

use hive_shared::api::{Entry, MAX_PAGE, TimelineQuery};
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, Status};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::StoreError;

/// The entries on a page that does not say how many it wants.
const USUAL_PAGE: usize = 100;
/// A page that has come to so many bytes ends, whatever it may still have room for: the rest is on the next one.
const FULL_PAGE: usize = 8 << 20;
/// The same for changes: each of many followers holds as much while it does not read.
const FULL_CHANGES: usize = 64 << 10;

/// A page of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Oldest first; with `after_seq` in seq order.
    pub entries: Vec<Entry>,
    /// Whether there is more in the direction that was asked for: beyond the limit, or because long entries have filled
    /// the page.
    pub has_more: bool,
    /// The cursor of what is older than this page.
    pub before: Option<String>,
}

/// An entry as it changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The entry as it is now; its `seq` is the change's number.
    pub entry: Entry,
    /// The number of the change that made it.
    pub added_seq: u64,
}

/// The steps of an entry beside it.
const WITH_STEPS: &str = "LEFT JOIN steps ON steps.entry = entry.key";

/// Whose timeline it is, if it has any entry.
pub(super) fn owner(db: &Connection) -> Result<Option<String>, StoreError> {
    let sql = "SELECT CASE WHEN json_valid(json) THEN json_extract(json, '$.bot_id') END FROM entry LIMIT 1";
    Ok(db.query_row(sql, [], |row| row.get(0)).optional()?.flatten())
}

/// Writes an entry under its `seq`, over the one of the key that it is known by; one that is new gets the next key, and
/// the same again if all since the last commit is written once more. Returns its key.
pub(super) fn put(db: &Connection, known: Option<i64>, entry: &Entry) -> Result<i64, StoreError> {
    let mut alone = entry.clone();
    let steps = std::mem::take(&mut alone.steps);
    let truncated = std::mem::take(&mut alone.steps_truncated);
    let json = serde_json::to_string(&alone)?;
    let key = if let Some(key) = known {
        db.prepare_cached("UPDATE entry SET seq = ?2, status = ?3, json = ?4 WHERE key = ?1")?
            .execute(params![key, entry.seq, entry.status.as_str(), json])?;
        key
    } else {
        db.prepare_cached(
            "INSERT INTO entry (entry_id, seq, added_seq, timestamp, source, kind, status, json) \
             VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .insert(params![
            entry.entry_id,
            entry.seq,
            entry.timestamp.as_micros(),
            entry.source.as_str(),
            entry.kind.as_str(),
            entry.status.as_str(),
            json,
        ])?
    };
    if !steps.is_empty() {
        db.prepare_cached("INSERT OR REPLACE INTO steps (entry, json, truncated) VALUES (?1, ?2, ?3)")?
            .execute(params![key, serde_json::to_string(&steps)?, truncated])?;
    } else if known.is_some() {
        db.prepare_cached("DELETE FROM steps WHERE entry = ?1")?.execute([key])?;
    }
    Ok(key)
}

/// An entry whose row ends with its own JSON, that of its steps, and whether these are cut.
fn read(row: &Row<'_>, first: usize) -> Result<Entry, StoreError> {
    let mut entry: Entry = serde_json::from_str(&row.get::<_, String>(first)?)?;
    if let Some(steps) = row.get::<_, Option<String>>(first + 1)? {
        entry.steps = serde_json::from_str(&steps)?;
        entry.steps_truncated = row.get(first + 2)?;
    }
    Ok(entry)
}

/// The bytes of an entry's row, from its own JSON on.
fn size(row: &Row<'_>, first: usize) -> rusqlite::Result<usize> {
    let length =
        |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_bytes_or_null()?.map_or(0, <[u8]>::len));
    Ok(length(first)? + length(first + 1)?)
}

/// Makes the words of the entry of this key those that a search finds it by.
pub(super) fn index(db: &Connection, key: i64, entry: &Entry) -> Result<(), StoreError> {
    let text = [
        entry.entry_id.as_str(),
        entry.title.as_deref().unwrap_or(""),
        entry.sender.as_deref().unwrap_or(""),
        &entry.content,
        entry.error.as_deref().unwrap_or(""),
    ]
    .join("\n");
    db.prepare_cached("INSERT OR REPLACE INTO words (rowid, text) VALUES (?1, ?2)")?
        .execute(params![key, text])?;
    Ok(())
}

/// One entry.
pub(super) fn get(db: &Connection, entry_id: &str) -> Result<Option<Entry>, StoreError> {
    let sql = format!(
        "SELECT entry.json, steps.json, steps.truncated FROM entry {WITH_STEPS} WHERE entry.entry_id = ?1"
    );
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_row([entry_id], |row| Ok(read(row, 0))).optional()?.transpose()
}

/// The control acts that wait for something, the oldest first.
pub(super) fn waiting_controls(db: &Connection) -> Result<Vec<Entry>, StoreError> {
    let mut statement = db.prepare("SELECT json FROM entry WHERE kind = ?1 AND status = ?2 ORDER BY key")?;
    let rows = statement
        .query_map([Kind::Control.as_str(), Status::Blocked.as_str()], |row| row.get::<_, String>(0))?;
    rows.map(|json| Ok(serde_json::from_str(&json?)?)).collect()
}

/// What changed after `after` and up to `until`, in seq order, each entry in its latest state: `limit` at the most, and
/// fewer if they are long.
pub(super) fn changes(
    db: &Connection,
    after: u64,
    until: u64,
    limit: usize,
) -> Result<Vec<Change>, StoreError> {
    let sql = format!(
        "SELECT entry.added_seq, entry.json, steps.json, steps.truncated FROM entry {WITH_STEPS} \
         WHERE entry.seq > ?1 AND entry.seq <= ?2 ORDER BY entry.seq LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![clamp(after), clamp(until), limit], |row| {
        let added: i64 = row.get(0)?;
        Ok((added, size(row, 1)?, read(row, 1)))
    })?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let (added, size, entry) = row?;
        changes.push(Change { entry: entry?, added_seq: u64::try_from(added).unwrap_or(0) });
        bytes += size;
        if bytes >= FULL_CHANGES {
            break;
        }
    }
    Ok(changes)
}

/// A page as the query wants it (SPEC 8).
pub(super) fn page(db: &Connection, query: &TimelineQuery) -> Result<Page, StoreError> {
    let limit = query.limit.unwrap_or(USUAL_PAGE).clamp(1, MAX_PAGE);
    let Some(Select { sql, values }) = select(db, query, limit + 1)? else {
        return Ok(Page { entries: Vec::new(), has_more: false, before: None });
    };
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        let key: i64 = row.get(0)?;
        Ok((key, size(row, 1)?, read(row, 1)))
    })?;
    let (mut found, mut bytes, mut has_more) = (Vec::new(), 0, false);
    for row in rows {
        let (key, size, entry) = row?;
        has_more = found.len() == limit || bytes >= FULL_PAGE;
        if has_more {
            break;
        }
        bytes += size;
        found.push((key, entry));
    }
    let by_seq = query.after_seq.is_some();
    if !by_seq {
        found.reverse();
    }
    let before = found.first().filter(|_| !by_seq).map(|(key, _)| cursor_of(*key));
    let entries = found.into_iter().map(|(_, entry)| entry).collect::<Result<_, _>>()?;
    Ok(Page { entries, has_more, before })
}

/// What finds a page's entries: their keys, their JSON and that of their steps.
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// How to find the entries of a page, the newest first, or in seq order. Nothing if there can be none.
///
/// What is read does not depend on how long the timeline is, but for a common word that is asked for together with
/// something rare: what holds the word is looked at until enough of it fits. With `after_seq` it depends on how much has
/// changed since.
///
/// Every filter is one of kinds and of a status, for a source is a set of kinds; a kind, and a kind with a status, have an index. Of
/// several kinds each is read by itself, the newest first, and SQLite merges them.
pub(super) fn select(
    db: &Connection,
    query: &TimelineQuery,
    limit: usize,
) -> Result<Option<Select>, StoreError> {
    let kinds = kinds(query);
    if kinds.is_empty() {
        return Ok(None);
    }
    let mut wants = Wants::default();
    if let Some(since) = query.since {
        let first = first_key_at(db, since)?.unwrap_or(i64::MAX);
        wants.push("entry.key >=", Value::Integer(first));
    }
    if let Some(until) = query.until
        && let Some(first_after) = first_key_at(db, until)?
    {
        wants.push("entry.key <", Value::Integer(first_after));
    }
    if let Some(cursor) = &query.before {
        wants.push("entry.key <", Value::Integer(key_of(cursor)?));
    }
    if let Some(after) = query.after_seq {
        wants.push("entry.seq >", Value::Integer(clamp(after)));
    }
    let is_search = query.q.is_some();
    let from = match query.q.as_deref().map(match_expression) {
        None => "entry",
        // All words in between were punctuation: nothing holds them.
        Some(None) => return Ok(None),
        Some(Some(expression)) => {
            wants.push("words MATCH", Value::Text(expression));
            "words CROSS JOIN entry ON entry.key = words.rowid"
        }
    };
    // The indexes have all there ever was, and in another order than that of the changes or of what a search finds.
    let by_index = !is_search && query.after_seq.is_none();
    if let Some(status) = query.status {
        let status = Value::Text(status.as_str().to_owned());
        wants.push(if by_index { "entry.status =" } else { "+entry.status =" }, status);
    }
    let (steps, beside) =
        if query.steps { ("steps.json, steps.truncated", WITH_STEPS) } else { ("NULL, NULL", "") };
    let of = |kinds: &str| {
        let conditions = wants.conditions.iter().map(String::as_str).chain([kinds]);
        let conditions = conditions.filter(|condition| !condition.is_empty()).collect::<Vec<_>>();
        let conditions = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        format!(
            "SELECT entry.key AS key, entry.json, {steps}, entry.seq AS seq FROM {from} {beside} WHERE {conditions}"
        )
    };
    let is_filtered = query.status.is_some() || kinds.len() < Kind::ALL.len();
    let found = match (is_filtered, by_index) {
        (false, _) => of(""),
        (true, true) => {
            let each = kinds.iter().map(|kind| of(&format!("entry.kind = '{kind}'")));
            each.collect::<Vec<_>>().join(" UNION ALL ")
        }
        (true, false) => {
            let names = kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
            of(&format!("+entry.kind IN ({names})"))
        }
    };
    let order = match (query.after_seq.is_some(), is_search) {
        (true, _) => "seq",
        (false, false) => "key DESC",
        (false, true) => "words.rowid DESC",
    };
    let mut values = wants.values;
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let sql = format!("{found} ORDER BY {order} LIMIT ?{}", values.len());
    Ok(Some(Select { sql, values }))
}

/// The kinds of the entries that a query wants.
fn kinds(query: &TimelineQuery) -> Vec<Kind> {
    let is_wanted = |kind: &Kind| {
        query.kind.is_none_or(|wanted| wanted == *kind)
            && query.source.is_none_or(|wanted| wanted == kind.source())
    };
    Kind::ALL.iter().copied().filter(is_wanted).collect()
}

/// How many entries there are: they are never taken away, and keys have no gaps.
pub(super) fn count(db: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> =
        db.prepare_cached("SELECT max(key) FROM entry")?.query_row([], |row| row.get(0))?;
    Ok(last.and_then(|key| u64::try_from(key).ok()).unwrap_or(0))
}

/// The latest seq and timestamp.
pub(super) fn latest(db: &Connection) -> Result<(u64, Stamp), StoreError> {
    let seq: Option<i64> = db.query_row("SELECT max(seq) FROM entry", [], |row| row.get(0))?;
    let stamp: Option<i64> = db.query_row("SELECT max(timestamp) FROM entry", [], |row| row.get(0))?;
    Ok((seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0), Stamp::from_micros(stamp.unwrap_or(0))))
}

#[derive(Default)]
struct Wants {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wants {
    /// `compare` with the value, which may stand in several places.
    fn push(&mut self, compare: &str, value: Value) {
        self.values.push(value);
        self.conditions.push(format!("{compare} ?{}", self.values.len()));
    }
}

/// Timestamps rise with keys, so that a time is a key.
fn first_key_at(db: &Connection, stamp: Stamp) -> Result<Option<i64>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT key FROM entry WHERE timestamp >= ?1 ORDER BY timestamp LIMIT 1")?;
    Ok(statement.query_row([stamp.as_micros()], |row| row.get(0)).optional()?)
}

/// The words of a person's search as a query that means all of them and nothing else.
fn match_expression(q: &str) -> Option<String> {
    // A letter and its accent may be two characters, which the index takes for one letter.
    let is_accent = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let words: Vec<String> = q
        .split(|c: char| !c.is_alphanumeric() && !is_accent(c))
        .filter(|word| !word.is_empty())
        .map(|word| format!("\"{word}\""))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn cursor_of(key: i64) -> String {
    format!("k{key}")
}

fn key_of(cursor: &str) -> Result<i64, StoreError> {
    cursor
        .strip_prefix('k')
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| StoreError::Cursor(cursor.chars().take(40).collect()))
}

fn clamp(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

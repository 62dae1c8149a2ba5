//! Rows of the ledger: one a file task or chat prompt.

use std::collections::BTreeMap;
use std::time::Duration;

use hive_shared::api::code;
use hive_shared::chat::TurnEvent;
use hive_shared::ids::ItemId;
use hive_shared::time::Stamp;
use hive_shared::work::{Priority, Source, Status, WhenBusy};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::file_id::Fingerprint;

/// A file task or chat prompt, from its arrival on.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its place in the order of arrival; 0 until it is stored.
    pub arrival: i64,
    /// Its id.
    pub id: ItemId,
    /// Which kind of work it is.
    pub source: Source,
    /// How it stands.
    pub status: Status,
    /// Its priority; of chat, meaningless.
    pub priority: Priority,
    /// Its title, or the beginning of the prompt.
    pub title: String,
    /// When it arrived.
    pub seen_at: Stamp,
    /// The rest of what it came with.
    pub detail: Detail,
    /// The name of its file in the task directory.
    pub file: Option<String>,
    /// The name of its file in the archive, once it is there.
    pub archived: Option<String>,
    /// How its file looked when it was read.
    pub fingerprint: Option<String>,
    /// What makes two submissions the same.
    pub digest: String,
    /// How often it was started, stops and preemptions not counted.
    pub attempts: u32,
    /// How often it gave way to chat.
    pub preemptions: u32,
    /// `HIVE_RUN_ID` of its last run.
    pub run: Option<String>,
    /// When its last attempt started.
    pub started_at: Option<Stamp>,
    /// When it ended.
    pub ended_at: Option<Stamp>,
    /// The time it used in the slot.
    pub used: Duration,
    /// What went wrong.
    pub error: Option<String>,
    /// The same for programs.
    pub error_code: Option<String>,
    /// Files that it changed.
    pub files_modified: Vec<String>,
    /// What it cost, as the adapter told.
    pub usage: Option<serde_json::Value>,
    /// The name of its response document.
    pub response_file: Option<String>,
    /// Whether its response is published and synced and its file archived.
    pub settled: bool,
}

impl Item {
    /// An item that has just arrived.
    pub fn new(id: ItemId, source: Source, title: String, digest: String, detail: Detail) -> Self {
        Self {
            arrival: 0,
            id,
            source,
            status: Status::Queued,
            priority: Priority::default(),
            title,
            seen_at: Stamp::now(),
            detail,
            file: None,
            archived: None,
            fingerprint: None,
            digest,
            attempts: 0,
            preemptions: 0,
            run: None,
            started_at: None,
            ended_at: None,
            used: Duration::ZERO,
            error: None,
            error_code: None,
            files_modified: Vec::new(),
            usage: None,
            response_file: None,
            settled: false,
        }
    }

    /// Whether it runs, or has given way and will go on.
    pub fn is_under_way(&self) -> bool {
        match self.status {
            Status::Running | Status::Suspended => true,
            Status::Queued
            | Status::Blocked
            | Status::Completed
            | Status::Failed
            | Status::Cancelled
            | Status::TimedOut
            | Status::Incomplete => false,
        }
    }

    /// Whether what lies under its file's name may be its own: that of a task whose file was taken away is not.
    pub fn has_file(&self) -> bool {
        self.source == Source::File && self.error_code.as_deref() != Some(code::FILE_REMOVED)
    }

    /// Which file it came as, and with which content when that was last looked at.
    pub fn known_file(&self) -> Option<Fingerprint> {
        // The text of a ledger that somebody else wrote says nothing.
        self.fingerprint.as_deref()?.parse().ok()
    }

    /// What a client is told when the item is over.
    pub fn completion(&self) -> TurnEvent {
        TurnEvent::ResponseComplete {
            status: self.status,
            success: self.status == Status::Completed,
            duration_seconds: self.used.as_secs_f64(),
            files_modified: self.files_modified.clone(),
            usage: self.usage.clone(),
            error: self.error.clone(),
            error_code: self.error_code.clone(),
            response_file: self.response_file.clone(),
        }
    }
}

/// What an item came with and no rule asks for often.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Who asked for a task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The bot that a task's document names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When a task was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Stamp>,
    /// The time it may use in the slot.
    pub limit: Duration,
    /// Whether chat may preempt a task.
    pub interruptible: bool,
    /// Tasks that must complete first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<ItemId>,
    /// Why a task is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
    /// The task that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ItemId>,
    /// Header fields that mean nothing to the hive.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// What had to be guessed or left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why no diff of it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_diff: Option<String>,
    /// Who prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The conversation of a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What a prompt wants when the bot is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_busy: Option<WhenBusy>,
}

const COLUMNS: &str = "arrival, id, source, status, priority, title, seen_at, detail, file, archived, fingerprint, digest, \
    attempts, preemptions, run, started_at, ended_at, used, error, error_code, files_modified, usage, response_file, \
    settled";

/// A time as the ledger holds it.
pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Writes an item under its `arrival`. Of one that is there, what it is called, where it came from and when stay as they
/// are, and one that is settled stays that: a change writes no index but that of what has ended.
pub(super) fn put(db: &Connection, item: &Item, is_new: bool) -> Result<(), StoreError> {
    let (settled, settles) = if item.settled { ("1", ", settled = 1") } else { ("0", "") };
    let update = format!(
        "UPDATE item SET status = ?4, priority = ?5, title = ?6, detail = ?8, file = ?9, archived = ?10, \
         fingerprint = ?11, digest = ?12, attempts = ?13, preemptions = ?14, run = ?15, started_at = ?16, \
         ended_at = ?17, used = ?18, error = ?19, error_code = ?20, files_modified = ?21, usage = ?22, \
         response_file = ?23{settles} WHERE arrival = ?1"
    );
    let (detail, files) =
        (serde_json::to_string(&item.detail)?, serde_json::to_string(&item.files_modified)?);
    let usage = item.usage.as_ref().map(serde_json::Value::to_string);
    let values = params![
        item.arrival,
        item.id.as_str(),
        item.source.as_str(),
        item.status.as_str(),
        item.priority.index(),
        item.title,
        item.seen_at.as_micros(),
        detail,
        item.file,
        item.archived,
        item.fingerprint,
        item.digest,
        item.attempts,
        item.preemptions,
        item.run,
        item.started_at.map(Stamp::as_micros),
        item.ended_at.map(Stamp::as_micros),
        micros(item.used),
        item.error,
        item.error_code,
        files,
        usage,
        item.response_file,
    ];
    if is_new || db.prepare_cached(&update)?.execute(values)? == 0 {
        let insert = format!(
            "INSERT OR REPLACE INTO item ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, {settled})"
        );
        db.prepare_cached(&insert)?.execute(values)?;
    }
    Ok(())
}

/// The item of an id.
pub(super) fn get(db: &Connection, id: &str) -> Result<Option<Item>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM item WHERE id = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_row([id], |row| Ok(read(row))).optional()?.transpose()
}

/// Items that have not come to rest, in the order of their arrival.
pub(super) fn unsettled(db: &Connection) -> Result<Vec<Item>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM item WHERE settled = 0 ORDER BY arrival");
    let mut statement = db.prepare(&sql)?;
    let rows = statement.query_map([], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

/// The same of a database that may be damaged: what can be read, without the help of an index.
pub(super) fn unsettled_by_all_means(db: &Connection) -> Vec<Item> {
    let sql = format!("SELECT {COLUMNS} FROM item NOT INDEXED WHERE settled = 0");
    let Ok(mut statement) = db.prepare(&sql) else { return Vec::new() };
    let Ok(rows) = statement.query_map([], |row| Ok(read(row))) else { return Vec::new() };
    rows.map_while(Result::ok).filter_map(Result::ok).collect()
}

/// Finished file tasks, the latest first, from the one after `after`; and how many there are in all.
pub(super) fn finished_tasks(
    db: &Connection,
    after: Option<&Item>,
    limit: usize,
) -> Result<(Vec<Item>, usize), StoreError> {
    let (ended, arrival) = after.map_or((i64::MAX, i64::MAX), |item| {
        (item.ended_at.map_or(i64::MAX, Stamp::as_micros), item.arrival)
    });
    let sql = format!(
        "SELECT {COLUMNS} FROM item WHERE source = 'file' AND ended_at IS NOT NULL \
         AND (ended_at < ?1 OR (ended_at = ?1 AND arrival < ?2)) ORDER BY ended_at DESC, arrival DESC LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![ended, arrival, limit], |row| Ok(read(row)))?;
    let items = rows.map(|row| row?).collect::<Result<_, StoreError>>()?;
    let tally = "SELECT coalesce(sum(items), 0) FROM tally WHERE source = 'file'";
    let total = db.prepare_cached(tally)?.query_row([], |row| row.get(0))?;
    Ok((items, total))
}

/// File tasks that have not ended, the most urgent first, from the one after `after`; and how many there are in all.
pub(super) fn live_tasks(
    db: &Connection,
    after: Option<&Item>,
    limit: usize,
) -> Result<(Vec<Item>, usize), StoreError> {
    const LIVE: &str = "source = 'file' AND settled = 0 AND ended_at IS NULL";
    let (priority, arrival) = (after.map(|item| item.priority.index()), after.map(|item| item.arrival));
    let sql = format!(
        "SELECT {COLUMNS} FROM item WHERE {LIVE} \
         AND (?1 IS NULL OR priority > ?1 OR (priority = ?1 AND arrival > ?2)) ORDER BY priority, arrival LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![priority, arrival, limit], |row| Ok(read(row)))?;
    let items = rows.map(|row| row?).collect::<Result<_, StoreError>>()?;
    let count = format!("SELECT count(*) FROM item WHERE {LIVE}");
    let total = db.prepare_cached(&count)?.query_row([], |row| row.get(0))?;
    Ok((items, total))
}

/// The chat turns of a session that ran and have ended, the latest first; by the index of just these.
pub(super) const TURNS_OF: &str = "SELECT id FROM item WHERE source = 'chat' AND ended_at IS NOT NULL AND attempts > 0 \
    AND json_extract(detail, '$.session') = ?1 ORDER BY arrival DESC LIMIT ?2";

pub(super) fn turns_of(db: &Connection, session: &str, limit: usize) -> Result<Vec<ItemId>, StoreError> {
    let mut statement = db.prepare_cached(TURNS_OF)?;
    let ids = statement.query_map(params![session, limit], |row| row.get::<_, String>(0))?;
    ids.map(|id| Ok(id?.parse()?)).collect()
}

/// How the last items ended, the latest first.
pub(super) fn last_endings(db: &Connection, limit: usize) -> Result<Vec<Status>, StoreError> {
    let of = |source| {
        let filter = format!("ended_at IS NOT NULL AND source = '{source}'");
        format!(
            "SELECT * FROM (SELECT status, ended_at FROM item WHERE {filter} ORDER BY ended_at DESC LIMIT ?1)"
        )
    };
    let both = format!("{} UNION ALL {} ORDER BY ended_at DESC LIMIT ?1", of("file"), of("chat"));
    let mut statement = db.prepare(&both)?;
    let rows = statement.query_map([limit], |row| row.get::<_, String>(0))?;
    rows.map(|row| word(&row?)).collect()
}

fn read(row: &Row<'_>) -> Result<Item, StoreError> {
    let stamp = |index: usize| -> Result<Option<Stamp>, rusqlite::Error> {
        Ok(row.get::<_, Option<i64>>(index)?.map(Stamp::from_micros))
    };
    Ok(Item {
        arrival: row.get(0)?,
        id: row.get::<_, String>(1)?.parse()?,
        source: word(&row.get::<_, String>(2)?)?,
        status: word(&row.get::<_, String>(3)?)?,
        priority: Priority::from_index(row.get(4)?),
        title: row.get(5)?,
        seen_at: Stamp::from_micros(row.get(6)?),
        detail: serde_json::from_str(&row.get::<_, String>(7)?)?,
        file: row.get(8)?,
        archived: row.get(9)?,
        fingerprint: row.get(10)?,
        digest: row.get(11)?,
        attempts: row.get(12)?,
        preemptions: row.get(13)?,
        run: row.get(14)?,
        started_at: stamp(15)?,
        ended_at: stamp(16)?,
        used: Duration::from_micros(u64::try_from(row.get::<_, i64>(17)?).unwrap_or(0)),
        error: row.get(18)?,
        error_code: row.get(19)?,
        files_modified: serde_json::from_str(&row.get::<_, String>(20)?)?,
        usage: row.get::<_, Option<String>>(21)?.as_deref().map(serde_json::from_str).transpose()?,
        response_file: row.get(22)?,
        settled: row.get(23)?,
    })
}

pub(super) fn word<T: std::str::FromStr<Err = hive_shared::work::UnknownWord>>(
    text: &str,
) -> Result<T, StoreError> {
    Ok(text.parse()?)
}

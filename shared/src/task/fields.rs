//! From a header and a body to a task: the table of SPEC 3, one function a row.

use std::time::Duration;

use super::header::{Draft, Header};
use super::warnings::{Warnings, cut, shown};
use super::{NotATask, Reading, TaskDocument, UNKNOWN_SENDER, dates, depends, is_blank, priority};
use crate::ids::{ItemId, Mended};
use crate::time::{Stamp, parse_duration};
use crate::work::Priority;

/// The most characters of a title that was taken from the text.
const MAX_TAKEN_TITLE_CHARS: usize = 100;
/// The most characters of a title or a sender that the header names.
const MAX_LINE_CHARS: usize = 500;

/// Reads the fields, and takes from the body what is left as the instruction.
pub(super) fn document(
    mut draft: Draft<'_>,
    reading: &Reading<'_>,
    mut warnings: Warnings,
) -> Result<TaskDocument, NotATask> {
    let header = &mut draft.header;
    let id = id(header, reading, &mut warnings)?;
    let named_title = header.take(&["title"], &mut warnings);
    let priority = priority(header, reading, &mut warnings);
    let from = from(header, &mut warnings);
    let to = to(header, reading, &mut warnings);
    let created = created(header, reading, &mut warnings);
    let limit = limit(header, &mut warnings);
    let interruptible = interruptible(header, &mut warnings);
    let depends_on = depends_on(header, reading, &mut warnings);
    let retry_of = retry_of(header, &mut warnings);

    let instruction = draft.instruction();
    if is_blank(&instruction) {
        return Err(NotATask::NoInstruction);
    }
    let title = match named_title {
        Some(title) => one_line(&title.value.text(), MAX_LINE_CHARS),
        None => title_from_text(&instruction, &id),
    };
    let fields = draft.header.unread(&mut warnings);
    Ok(TaskDocument {
        id,
        title,
        priority,
        from,
        to,
        created,
        limit,
        interruptible,
        depends_on,
        retry_of,
        fields,
        instruction,
        warnings: warnings.into_vec(),
    })
}

fn id(header: &mut Header, reading: &Reading<'_>, warnings: &mut Warnings) -> Result<ItemId, NotATask> {
    let names: &[&str] = if header.is_data { &["task id", "id"] } else { &["task id"] };
    for found in header.find(names) {
        let text = found.value.text();
        match named_id(&text) {
            Mended::AsIs(id) => {
                header.mark_read(&found);
                return Ok(id);
            }
            Mended::Changed(id) => {
                header.mark_read(&found);
                warnings.push(format!(
                    "{} {} was made to fit: the id is {id}",
                    shown(&found.name),
                    shown(&text)
                ));
                return Ok(id);
            }
            Mended::Hopeless => {
                warnings.push(format!(
                    "{} {} cannot be an id; the file's name is",
                    shown(&found.name),
                    shown(&text)
                ));
            }
        }
    }
    let stem = stem(reading.file_name);
    match ItemId::mend(stem) {
        Mended::AsIs(id) => Ok(id),
        Mended::Changed(id) => {
            warnings.push(format!("the file's name {} was made to fit: the id is {id}", shown(stem)));
            Ok(id)
        }
        Mended::Hopeless => Err(NotATask::NoId(cut(reading.file_name, 100))),
    }
}

/// The id in a text such as `TASK-002-010`, `TASK-002-010 (draft)` or `my task`.
fn named_id(text: &str) -> Mended {
    if let Ok(id) = ItemId::parse(text) {
        return Mended::AsIs(id);
    }
    // A first word that is an id and is followed by a remark; but "my task" is one name of two words.
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let word = first.trim_end_matches([',', ';', ':', '.']);
    let is_followed_by_remark =
        word.len() < first.len() || !rest.trim_start().starts_with(char::is_alphanumeric);
    match ItemId::parse(word) {
        Ok(id) if is_followed_by_remark || word.contains(|c: char| c.is_ascii_digit()) => Mended::Changed(id),
        Ok(_) | Err(_) => ItemId::mend(text),
    }
}

fn stem(file_name: &str) -> &str {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    match name.rsplit_once('.') {
        Some((stem, ending))
            if ["md", "markdown", "txt", "json"].iter().any(|e| ending.eq_ignore_ascii_case(e)) =>
        {
            stem
        }
        Some(_) | None => name,
    }
}

fn priority(header: &mut Header, reading: &Reading<'_>, warnings: &mut Warnings) -> Priority {
    let Some(found) = header.take(&["priority"], warnings) else {
        return priority::in_file_name(reading.file_name).unwrap_or_default();
    };
    let text = found.value.text();
    priority::read(&text).unwrap_or_else(|| {
        let default = Priority::default();
        warnings.push(format!("priority {} says none of P0 to P3, so it is {default}", shown(&text)));
        default
    })
}

fn from(header: &mut Header, warnings: &mut Warnings) -> String {
    header
        .take(&["from", "assigned by", "issued by", "created by"], warnings)
        .map_or_else(|| UNKNOWN_SENDER.to_owned(), |found| one_line(&found.value.text(), MAX_LINE_CHARS))
}

fn to(header: &mut Header, reading: &Reading<'_>, warnings: &mut Warnings) -> Option<String> {
    let found = header.take(&["to", "bot id", "assigned to"], warnings)?;
    let to = one_line(&found.value.text(), MAX_LINE_CHARS);
    let is_id_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_us = |word: &str| word.trim_end_matches('.').eq_ignore_ascii_case(reading.bot.as_str());
    if !to.split(|c| !is_id_char(c)).any(is_us) {
        warnings.push(format!("it is addressed to {}, and lies in the queue of {}", shown(&to), reading.bot));
    }
    Some(to)
}

fn created(header: &mut Header, reading: &Reading<'_>, warnings: &mut Warnings) -> Stamp {
    let times = header.find(&["time"]);
    let beside = times.first().map(|found| found.value.text());
    let dates = header.find(&["created", "created at", "date", "issued", "date assigned"]);
    let mut unreadable = None;
    for found in &dates {
        let text = found.value.text();
        let Some(moment) = dates::read(&text, beside.as_deref(), reading.zone) else {
            unreadable = unreadable.or(Some(text));
            continue;
        };
        header.mark_read(found);
        if moment.took_time
            && let Some(time) = times.first()
        {
            header.mark_read(time);
        }
        if let Some(doubt) = moment.doubt {
            warnings.push(doubt);
        }
        return moment.stamp;
    }
    let of_name = dates::at_start_of_name(reading.file_name, reading.zone);
    if let Some(text) = unreadable {
        let instead = if of_name.is_some() {
            "the stamp in the file's name"
        } else {
            "the time of the file's last change"
        };
        warnings.push(format!("the date {} cannot be read; {instead} counts", shown(&text)));
    }
    of_name.unwrap_or(reading.modified)
}

fn limit(header: &mut Header, warnings: &mut Warnings) -> Option<Duration> {
    for found in header.find(&["timeout", "timeout seconds"]) {
        let text = found.value.text();
        if let Some(limit) = limit_of(&text) {
            header.mark_read(&found);
            return Some(limit);
        }
        warnings.push(format!(
            "the time limit {} cannot be read or is none, so the usual one holds",
            shown(&text)
        ));
    }
    None
}

/// A duration above zero, with or without a remark after it: `300 seconds`, `10m (soft)`, `5 min at most`.
fn limit_of(text: &str) -> Option<Duration> {
    // The longest readable beginning; a duration of people has few words.
    let bare = text.split(['(', '[', '#']).next().unwrap_or_default();
    let words: Vec<_> = bare.split_whitespace().take(8).collect();
    let limit = (1..=words.len()).rev().find_map(|count| parse_duration(&words[..count].join(" ")).ok())?;
    (!limit.is_zero()).then_some(limit)
}

fn interruptible(header: &mut Header, warnings: &mut Warnings) -> bool {
    let Some(found) = header.find(&["interruptible"]).into_iter().next() else { return true };
    let text = found.value.text().to_lowercase();
    let answer = match text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()) {
        Some("yes" | "true" | "on" | "y" | "1") => true,
        Some("no" | "false" | "off" | "n" | "0" | "never" | "not") => false,
        Some(_) | None => {
            warnings.push(format!("interruptible {} is neither yes nor no, so it is yes", shown(&text)));
            return true;
        }
    };
    header.mark_read(&found);
    answer
}

fn depends_on(header: &mut Header, reading: &Reading<'_>, warnings: &mut Warnings) -> Vec<ItemId> {
    let Some(found) = header.find(&["depends on"]).into_iter().next() else { return Vec::new() };
    let before = warnings.len();
    let ids = depends::read(&found.value, reading, warnings);
    // A line of which nothing could be read stays with the agent.
    if !ids.is_empty() || warnings.len() == before {
        header.mark_read(&found);
    }
    ids
}

fn retry_of(header: &mut Header, warnings: &mut Warnings) -> Option<ItemId> {
    let found = header.find(&["retry of"]).into_iter().next()?;
    let text = found.value.text();
    if let Ok(id) = ItemId::parse(&text) {
        header.mark_read(&found);
        return Some(id);
    }
    warnings.push(format!("{} {} is no id and is left aside", shown(&found.name), shown(&text)));
    None
}

/// The heading that a text begins with, less the task's own id and a colon; else its first line.
fn title_from_text(text: &str, id: &ItemId) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let heading = first.trim_start_matches('#');
    let level = first.len() - heading.len();
    let title = if (1..=6).contains(&level) && heading.starts_with(char::is_whitespace) {
        let heading = heading.trim();
        let after_id = heading
            .get(..id.as_str().len())
            .filter(|start| start.eq_ignore_ascii_case(id.as_str()))
            .and_then(|start| heading[start.len()..].trim_start().strip_prefix(':'));
        after_id.map(str::trim).filter(|rest| !rest.is_empty()).unwrap_or(heading)
    } else {
        first
    };
    one_line(title, MAX_TAKEN_TITLE_CHARS)
}

/// A text in one line of bounded length.
fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() > max_chars * 4 {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    cut(&line, max_chars)
}

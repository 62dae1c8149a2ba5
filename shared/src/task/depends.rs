//! Dependencies as people write them (SPEC 3).

use std::collections::HashSet;

use super::Reading;
use super::header::FieldValue;
use super::warnings::{Warnings, shown};
use crate::ids::ItemId;

/// Reads the tasks that a document depends on, each once, in its order.
///
/// In free text an id must hold a digit, because the first word of "the schema, when merged" is none. A list in front
/// matter or JSON is no free text: an item that is an id as it stands counts without one.
pub(super) fn read(value: &FieldValue, reading: &Reading<'_>, warnings: &mut Warnings) -> Vec<ItemId> {
    let mut found = Found { reading, warnings, ids: Vec::new(), seen: HashSet::new() };
    match value {
        FieldValue::Text(text) => found.text(text),
        FieldValue::List(items) => {
            for item in items {
                match ItemId::parse(item) {
                    Ok(id) if !is_nothing(item) && !found.is_bot(item) => found.add(id),
                    Ok(_) | Err(_) => found.text(item),
                }
            }
        }
    }
    found.ids
}

struct Found<'a> {
    reading: &'a Reading<'a>,
    warnings: &'a mut Warnings,
    ids: Vec<ItemId>,
    seen: HashSet<ItemId>,
}

impl Found<'_> {
    fn text(&mut self, text: &str) {
        for part in parts(less_outer_brackets(text)) {
            self.part(part);
        }
    }

    fn part(&mut self, part: &str) {
        let bare: String = part.chars().map(|c| if is_bracket(c) { ' ' } else { c }).collect();
        let Some(first) = bare.split_whitespace().next() else { return };
        let word = first.trim_matches(['`', '*', '"', '\'', ';', ':', '.']);
        let word = word.strip_suffix(".md").unwrap_or(word);
        if is_nothing(first) || is_nothing(word) {
            return;
        }
        match ItemId::parse(word) {
            Ok(id) if word.contains(|c: char| c.is_ascii_digit()) && !self.is_bot(word) => {
                self.add(id);
                self.remark(part);
            }
            Ok(_) | Err(_) => {
                self.warnings
                    .push(format!("{} names no task to depend on and is left aside", shown(part.trim())));
            }
        }
    }

    /// "TASK-1 and TASK-2" is one part: the second id would be lost without a word.
    fn remark(&mut self, part: &str) {
        let outside = part.split('(').next().unwrap_or_default();
        let is_suspect = |word: &str| word.contains('-') && word.contains(|c: char| c.is_ascii_digit());
        if outside.split_whitespace().skip(1).any(is_suspect) {
            self.warnings.push(format!(
                "of {} only the first word is a dependency; put commas between ids",
                shown(part.trim())
            ));
        }
    }

    fn add(&mut self, id: ItemId) {
        if self.seen.insert(id.clone()) {
            self.ids.push(id);
        }
    }

    fn is_bot(&self, word: &str) -> bool {
        word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("BOT-"))
            || self.reading.bots.iter().any(|bot| bot.as_str().eq_ignore_ascii_case(word))
    }
}

fn is_nothing(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "" | "none" | "-" | "–" | "—" | "n/a" | "na" | "null")
}

fn is_bracket(c: char) -> bool {
    matches!(c, '(' | ')' | '[' | ']' | '{' | '}')
}

/// The inside of a text that stands in brackets as a whole.
fn less_outer_brackets(text: &str) -> &str {
    let text = text.trim();
    for (open, close) in [('[', ']'), ('(', ')'), ('{', '}')] {
        let inner = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.contains(open)) {
            return inner;
        }
    }
    text
}

/// The parts between commas; a comma inside round brackets, where they are closed, belongs to a remark.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let are_closed = text.matches('(').count() == text.matches(')').count();
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' if are_closed => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(c, ',' | '\n')
    })
}

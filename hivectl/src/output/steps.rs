//! What an agent did along the way, in lines for people.

use hive_shared::step::{Location, PlanEntry, Step, ToolCall};

use super::cell::Cell;
use super::ink::Paint;

/// How many places of a tool call are named.
const PLACES: usize = 3;

/// The lines of all steps; foreign text in them is escaped.
pub fn lines(steps: &[Step], truncated: bool) -> Vec<Cell> {
    let dim = |line: &str| Cell::painted(line, Paint::Dim);
    let mut lines: Vec<Cell> = truncated.then(|| dim("… (not all of it)")).into_iter().collect();
    for step in steps {
        match step {
            Step::Thought { content } => lines.extend(content.trim().lines().map(dim)),
            Step::ToolCall(call) => lines.push(call_line(call)),
            Step::Plan { entries } => lines.extend(plan(entries).iter().map(|line| line.as_str().into())),
        }
    }
    lines
}

/// The last step in a few words, if there is one.
pub fn last_words(steps: &[Step]) -> Option<String> {
    Some(match steps.last()? {
        Step::Thought { content } => content.clone(),
        Step::ToolCall(call) => titled(call),
        Step::Plan { entries } => {
            let done = entries.iter().filter(|entry| entry.status.as_deref() == Some("completed")).count();
            format!("plan: {done} of {} done", entries.len())
        }
    })
}

/// A tool call: its title and its kind.
pub fn titled(call: &ToolCall) -> String {
    let kind = Some(&call.kind).filter(|kind| !kind.is_empty() && **kind != call.title);
    let kind = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    format!("→ {}{kind}", call.title)
}

/// A plan, a line for each of its entries.
pub fn plan(entries: &[PlanEntry]) -> Vec<String> {
    if entries.is_empty() {
        return Vec::new();
    }
    let line = |entry: &PlanEntry| {
        let mark = match entry.status.as_deref() {
            Some("completed") => "✓",
            Some("in_progress") => "▸",
            Some(_) | None => "·",
        };
        format!("  {mark} {}", entry.content)
    };
    [vec!["plan:".to_owned()], entries.iter().map(line).collect()].concat()
}

fn call_line(call: &ToolCall) -> Cell {
    let status = if call.status.is_empty() { String::new() } else { format!(": {}", call.status) };
    let mut places: Vec<String> = call.locations.iter().take(PLACES).map(place).collect();
    if call.locations.len() > PLACES {
        places.push(format!("and {} more", call.locations.len() - PLACES));
    }
    let places = if places.is_empty() { String::new() } else { format!("  {}", places.join(", ")) };
    let line = format!("{}{status}{places}", titled(call));
    if call.status == "failed" { Cell::painted(line, Paint::Red) } else { line.into() }
}

fn place(location: &Location) -> String {
    match location.line {
        Some(line) => format!("{}:{line}", location.path),
        None => location.path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step> {
        let place = |path: &str| serde_json::json!({"path": path});
        serde_json::from_value(serde_json::json!([
            {"type": "thought", "content": "I look\u{1b}\nand mend"},
            {"type": "tool_call", "id": "1", "title": "Edit a.rs", "kind": "edit", "status": "completed",
             "locations": [{"path": "a.rs", "line": 3}, place("b"), place("c"), place("d"), place("e")]},
            {"type": "plan", "entries": [{"content": "look", "status": "completed"},
                                         {"content": "mend", "status": "in_progress"}, {"content": "rest"}]},
            {"type": "tool_call", "id": "2", "title": "read", "kind": "read", "status": "failed"},
        ]))
        .unwrap()
    }

    #[test]
    fn each_step_has_its_lines() {
        let shown: Vec<String> = lines(&steps(), true).iter().map(|line| line.shown(false)).collect();
        assert_eq!(
            shown,
            [
                "… (not all of it)",
                "I look\\x1b",
                "and mend",
                "→ Edit a.rs (edit): completed  a.rs:3, b, c, and 2 more",
                "plan:",
                "  ✓ look",
                "  ▸ mend",
                "  · rest",
                "→ read: failed",
            ]
        );
        let painted: Vec<String> = lines(&steps(), false).iter().map(|line| line.shown(true)).collect();
        assert_eq!(
            (painted[0].as_str(), painted[7].as_str()),
            ("\x1b[2mI look\\x1b\x1b[0m", "\x1b[31m→ read: failed\x1b[0m")
        );
    }

    #[test]
    fn the_last_step_is_told_in_a_few_words() {
        assert_eq!(last_words(&steps()).as_deref(), Some("→ read"));
        assert_eq!(last_words(&steps()[..3]).as_deref(), Some("plan: 1 of 3 done"));
        assert_eq!(last_words(&[]), None);
    }
}

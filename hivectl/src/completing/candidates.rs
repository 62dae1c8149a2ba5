//! Which values fit which argument, told by the name that its help gives it.

use std::ffi::OsStr;
use std::sync::Arc;

use clap::Arg;
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use hive_shared::work::{Kind, Priority, Source, Status, WhenBusy};

use super::hive::{Item, Surroundings};
use crate::output::escape::{Place, escape};

/// The argument of a command with what can be offered for it.
pub(super) fn offer(command: &str, argument: Arg, around: &Arc<Surroundings>) -> Arg {
    let Some(name) = argument.get_value_names().and_then(<[_]>::first) else { return argument };
    let completer = match name.as_str() {
        "BOT" => {
            let around = Arc::clone(around);
            ArgValueCompleter::new(move |word: &OsStr| bots(word, &around))
        }
        // A new task's own id is free to choose.
        "ID" if command == "submit" && argument.get_id() == "id" => return argument,
        "ID" => {
            let (around, fits) = (Arc::clone(around), Which::of(command));
            ArgValueCompleter::new(move |word: &OsStr| items(word, fits, &around))
        }
        "NAME" if argument.get_id() == "session" => {
            let around = Arc::clone(around);
            ArgValueCompleter::new(move |word: &OsStr| {
                let mut sessions = around.sessions();
                sessions.retain(|session| word.to_str().is_some_and(|word| session.starts_with(word)));
                sessions.into_iter().map(CompletionCandidate::new).collect()
            })
        }
        "PRIORITY" => words(Priority::ALL.iter().map(|word| word.as_str())),
        "STATUS" => words(Status::ALL.iter().map(|word| word.as_str())),
        "SOURCE" => words(Source::ALL.iter().map(|word| word.as_str())),
        "KIND" => words(Kind::ALL.iter().map(|word| word.as_str())),
        "WHAT" => words(WhenBusy::ALL.iter().map(|word| word.as_str())),
        _ => return argument,
    };
    argument.add(completer)
}

/// Which items a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All.
    All,
    /// Those that are not final.
    Open,
    /// File tasks that wait.
    Waiting,
    /// Those that have their response.
    Finished,
    /// File tasks among them.
    FinishedTasks,
    /// File tasks.
    Tasks,
    /// Approvals that are asked for.
    Approvals,
}

impl Which {
    fn of(command: &str) -> Self {
        match command {
            "cancel" => Self::Open,
            "prioritize" => Self::Waiting,
            "response" => Self::Finished,
            "retry" => Self::FinishedTasks,
            "submit" => Self::Tasks,
            "approve" | "deny" => Self::Approvals,
            _ => Self::All,
        }
    }

    /// Whether the command can do its work by the files of a bot that is down.
    pub(super) fn works_by_files(self) -> bool {
        match self {
            Self::All | Self::Finished | Self::Tasks => true,
            Self::Open | Self::Waiting | Self::FinishedTasks | Self::Approvals => false,
        }
    }

    /// Whether it may include what is final, what is not, and prompts.
    pub(super) fn has(self) -> (bool, bool, bool) {
        match self {
            Self::All => (true, true, true),
            Self::Open => (false, true, true),
            Self::Waiting => (false, true, false),
            Self::Finished => (true, false, true),
            Self::FinishedTasks => (true, false, false),
            Self::Tasks => (true, true, false),
            Self::Approvals => (false, false, false),
        }
    }

    /// Whether it includes an item of this source and status.
    pub(super) fn includes(self, source: Source, status: Status) -> bool {
        let (finals, open, prompts) = self.has();
        let is_right = if status.is_final() { finals } else { open };
        let waits = matches!(status, Status::Queued | Status::Blocked);
        is_right && (prompts || source == Source::File) && (self != Self::Waiting || waits)
    }
}

fn words(words: impl Iterator<Item = &'static str>) -> ArgValueCompleter {
    let words: Vec<_> = words.collect();
    ArgValueCompleter::new(move |typed: &OsStr| {
        let typed = typed.to_string_lossy().to_lowercase();
        words
            .iter()
            .filter(|word| word.to_lowercase().starts_with(&typed))
            .map(CompletionCandidate::new)
            .collect()
    })
}

fn bots(word: &OsStr, around: &Surroundings) -> Vec<CompletionCandidate> {
    let Some(word) = word.to_str() else { return Vec::new() };
    let bots = around.bots();
    bots.iter()
        .filter(|bot| bot.as_str().starts_with(word))
        .map(|bot| CompletionCandidate::new(bot.as_str()))
        .collect()
}

/// Items as `ID`, or as `BOT/ID` where a bot is being named or two bots have the id.
fn items(word: &OsStr, which: Which, around: &Surroundings) -> Vec<CompletionCandidate> {
    let Some(word) = word.to_str() else { return Vec::new() };
    let (bot, begins) = match word.split_once('/') {
        Some((bot, begins)) => (Some(bot), begins),
        None => (None, word),
    };
    let items = around.items(which, bot, begins);
    let mut candidates = Vec::new();
    for item in &items {
        let is_of_two = items.iter().any(|other| other.id == item.id && other.bot != item.bot);
        let name =
            if bot.is_some() || is_of_two { format!("{}/{}", item.bot, item.id) } else { item.id.clone() };
        if item.id.as_str().starts_with(begins) || name.starts_with(word) {
            candidates.push(
                CompletionCandidate::new(name)
                    .help(Some(about(item).into()))
                    .display_order(Some(candidates.len())),
            );
        }
    }
    if candidates.is_empty() && bot.is_none() && !word.is_empty() {
        let named = bots(OsStr::new(word), around);
        candidates.extend(named.into_iter().map(|bot| {
            let mut name = bot.get_value().to_owned();
            name.push("/");
            CompletionCandidate::new(name)
        }));
    }
    candidates
}

fn about(item: &Item) -> String {
    let text = format!("{} {}", item.state, item.title);
    let text: String = text.chars().take(60).collect();
    escape(text.trim(), Place::Line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_offered_what_it_can_take() {
        let offered = |command: &str| {
            let all = [
                (Source::File, Status::Queued),
                (Source::File, Status::Running),
                (Source::File, Status::Failed),
                (Source::Chat, Status::Running),
                (Source::Chat, Status::Completed),
            ];
            all.map(|(source, status)| Which::of(command).includes(source, status))
        };
        assert_eq!(offered("show"), [true, true, true, true, true]);
        assert_eq!(offered("wait"), [true, true, true, true, true]);
        assert_eq!(offered("cancel"), [true, true, false, true, false]);
        assert_eq!(offered("prioritize"), [true, false, false, false, false]);
        assert_eq!(offered("response"), [false, false, true, false, true]);
        assert_eq!(offered("retry"), [false, false, true, false, false]);
        assert_eq!(offered("submit"), [true, true, true, false, false]);
    }
}

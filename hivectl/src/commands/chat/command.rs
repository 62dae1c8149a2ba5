//! What a line means: a message, or a command that begins with a slash.

use hive_shared::ids::ItemId;
use hive_shared::nearest::probable;

/// A line that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// To be said to the bot.
    Message(String),
    /// To be done.
    Command(Command),
    /// Neither; the text says why.
    Wrong(String),
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Let nothing new start.
    Pause(Option<String>),
    /// Lift the pause.
    Resume,
    /// Show how the bot is.
    Status,
    /// End one item; the answer that comes, if none is named.
    Cancel(Option<ItemId>),
    /// End whatever runs.
    Interrupt,
    /// Show what waits.
    Tasks,
    /// Answer a request: whether to allow it, which one, and how.
    Answer { allow: bool, id: Option<ItemId>, option: Option<String> },
    /// Begin a new conversation.
    New,
    /// Go on with a conversation, or tell which one it is.
    Session(Option<String>),
    /// Leave.
    Quit,
    /// Show the commands.
    Help,
}

/// A command as /help shows it: its name, what may follow, and what it does.
pub(super) struct About {
    pub(super) name: &'static str,
    pub(super) takes: &'static str,
    pub(super) does: &'static str,
}

const fn about(name: &'static str, takes: &'static str, does: &'static str) -> About {
    About { name, takes, does }
}

/// All commands.
pub(super) const COMMANDS: &[About] = &[
    about("/status", "", "show how the bot is"),
    about("/tasks", "", "show what waits for it"),
    about("/cancel", "[ID]", "end the answer that comes, or that task or prompt"),
    about("/interrupt", "", "end whatever runs now"),
    about("/pause", "[REASON]", "let nothing new start"),
    about("/resume", "", "lift the pause"),
    about("/approve", "[ID] [OPTION]", "allow what the agent asks for"),
    about("/deny", "[ID] [OPTION]", "do not allow it"),
    about("/new", "", "begin a new conversation"),
    about("/session", "[NAME]", "go on with that conversation; tell which one this is"),
    about("/help", "", "show this"),
    about("/quit", "", "leave"),
];

/// Keys as /help shows them.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("Enter", "say it"),
    ("Alt-Enter, Ctrl-J, \\ Enter", "begin another line"),
    ("Up, Ctrl-R", "what you said before; search it"),
    ("Tab", "complete a command"),
    ("Alt-Y, Alt-N, Alt-1 …", "answer at once what the agent asks for"),
    ("Ctrl-C", "clear the line; end the answer; leave"),
    ("Ctrl-D", "leave"),
    ("//text", "say what begins with a slash"),
];

/// Reads a line.
pub(super) fn read(line: &str) -> Line {
    let line = line.trim();
    let Some(rest) = line.strip_prefix('/') else { return Line::Message(line.to_owned()) };
    if rest.starts_with('/') {
        return Line::Message(rest.to_owned());
    }
    let (name, after) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let after = after.trim();
    let argument = (!after.is_empty()).then(|| after.to_owned());
    let command = match name {
        "/pause" => Command::Pause(argument),
        "/session" => Command::Session(argument),
        "/cancel" => match after.parse() {
            Ok(id) => Command::Cancel(Some(id)),
            Err(_) if after.is_empty() => Command::Cancel(None),
            Err(error) => return Line::Wrong(format!("'{after}' is no id: {error}")),
        },
        "/approve" | "/deny" => {
            let mut words = after.split_whitespace();
            let (first, second, third) = (words.next(), words.next(), words.next());
            let id = match first.map(str::parse::<ItemId>) {
                None => None,
                Some(Ok(id)) => Some(id),
                Some(Err(error)) => return Line::Wrong(format!("'{after}' is no id: {error}")),
            };
            if third.is_some() {
                return Line::Wrong(format!("{name} takes an id and an option, no more"));
            }
            Command::Answer { allow: name == "/approve", id, option: second.map(str::to_owned) }
        }
        "/resume" | "/status" | "/interrupt" | "/tasks" | "/new" | "/quit" | "/exit" | "/help" | "/?"
            if argument.is_some() =>
        {
            return Line::Wrong(format!(
                "{name} takes nothing; begin a message with // if its first is a slash"
            ));
        }
        "/resume" => Command::Resume,
        "/status" => Command::Status,
        "/interrupt" => Command::Interrupt,
        "/tasks" => Command::Tasks,
        "/new" => Command::New,
        "/quit" | "/exit" => Command::Quit,
        "/help" | "/?" => Command::Help,
        unknown => return Line::Wrong(unknown_command(unknown)),
    };
    Line::Command(command)
}

fn unknown_command(name: &str) -> String {
    match probable(name, COMMANDS.iter().map(|about| about.name)) {
        Some(meant) => format!("there is no {name}; did you mean {meant}? /help lists all"),
        None => format!("there is no {name}; /help lists the commands, // begins a message with a slash"),
    }
}

/// The commands that a line may be the beginning of.
pub(super) fn candidates(line: &str) -> Vec<&'static str> {
    if !line.starts_with('/') || line.starts_with("//") {
        return Vec::new();
    }
    COMMANDS.iter().map(|about| about.name).filter(|name| name.starts_with(line)).collect()
}

/// What all of them begin with, if there are any.
pub(super) fn common_prefix<'a>(names: &[&'a str]) -> Option<&'a str> {
    let first = *names.first()?;
    let is_shared = |end: &usize| names.iter().all(|name| name.starts_with(&first[..*end]));
    (0..=first.len()).rev().find(is_shared).map(|end| &first[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_unless_it_begins_with_one_slash() {
        let message = |text: &str| Line::Message(text.to_owned());
        assert_eq!(read(" hello / there "), message("hello / there"));
        assert_eq!(read("//etc/passwd is fine"), message("/etc/passwd is fine"));
        assert_eq!(read("/pause for lunch"), Line::Command(Command::Pause(Some("for lunch".into()))));
        assert_eq!(read("/cancel"), Line::Command(Command::Cancel(None)));
        let id = ItemId::parse("T-1").unwrap();
        assert_eq!(read("/cancel T-1"), Line::Command(Command::Cancel(Some(id.clone()))));
        assert_eq!(
            read("/deny T-1 never"),
            Line::Command(Command::Answer { allow: false, id: Some(id), option: Some("never".into()) })
        );
        assert!(matches!(read("/cancel ../x"), Line::Wrong(_)));
        assert!(matches!(read("/status now"), Line::Wrong(_)));
    }

    #[test]
    fn an_unknown_command_names_the_nearest() {
        let wrong = |line: &str| match read(line) {
            Line::Wrong(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(wrong("/stauts").contains("did you mean /status?"));
        assert!(wrong("/cancle").contains("did you mean /cancel?"));
        assert!(wrong("/tmp/x/y").contains("// begins"), "{}", wrong("/tmp/x/y"));
    }

    #[test]
    fn every_command_that_help_lists_is_one() {
        for about in COMMANDS {
            assert!(matches!(read(about.name), Line::Command(_)), "{}", about.name);
            assert_eq!(candidates(about.name).first(), Some(&about.name));
        }
        assert!(candidates("//").is_empty() && candidates("").is_empty());
        assert_eq!(common_prefix(&["/pause", "/pat"]), Some("/pa"));
    }
}

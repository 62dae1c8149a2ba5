//! What the agent asks for permission, and what an answer to that is.

use hive_shared::chat::ApprovalOption;
use hive_shared::ids::ItemId;
use hive_shared::time::{Stamp, show_duration};

use crate::output::escape::{Place, escape};
use crate::output::ink::Ink;

/// A request that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// To answer it by.
    pub(super) id: ItemId,
    /// The turn that waits for it; absent if it is not of this chat.
    pub(super) turn: Option<ItemId>,
    /// What for.
    pub(super) title: String,
    /// The answers there are.
    pub(super) options: Vec<ApprovalOption>,
    /// Until when.
    pub(super) deadline: Stamp,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    /// The request.
    pub(super) id: ItemId,
    /// Which of its options.
    pub(super) option: ApprovalOption,
    /// What the request was for.
    pub(super) title: String,
}

/// The requests of this chat's turns, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Requests(Vec<Request>);

impl Requests {
    pub(super) fn add(&mut self, request: Request) {
        self.0.retain(|known| known.id != request.id);
        self.0.push(request);
    }

    /// Forgets a request that is answered or gone.
    pub(super) fn remove(&mut self, id: &ItemId) {
        self.0.retain(|request| request.id != *id);
    }

    /// Forgets what a turn asked that is over.
    pub(super) fn turn_is_over(&mut self, turn: &ItemId) {
        self.0.retain(|request| request.turn.as_ref() != Some(turn));
    }

    /// The request that is answered next.
    pub(super) fn oldest(&self) -> Option<&Request> {
        self.0.first()
    }

    pub(super) fn get(&self, id: &ItemId) -> Option<&Request> {
        self.0.iter().find(|request| request.id == *id)
    }

    /// What a line alone answers, such as `2` or `a`. A number that is no option's is an error rather than a prompt:
    /// whoever types one means to answer.
    pub(super) fn answered_by(&self, line: &str) -> Option<Result<Answered, String>> {
        let request = self.oldest()?;
        if line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Ok(request.answered(request.by_letter(line)?)));
        }
        let place = line.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let option = place.and_then(|place| request.options.get(place));
        Some(option.map(|option| request.answered(option)).ok_or_else(|| {
            format!("{line} is none of the options 1-{} of {}", request.options.len(), request.id)
        }))
    }

    /// What a key answers that is pressed with Alt: `y` and `n` what does not last, a digit that option.
    pub(super) fn answered_by_key(&self, key: char) -> Option<Answered> {
        let request = self.oldest()?;
        match key {
            'y' | 'Y' => request.passing(true),
            'n' | 'N' => request.passing(false),
            digit => {
                let option =
                    request.options.get(usize::try_from(digit.to_digit(10)?).ok()?.checked_sub(1)?)?;
                Some(request.answered(option))
            }
        }
    }
}

impl Request {
    /// The answer that an option's number, id, name or kind means; without one, the most modest there is.
    pub(super) fn answer(&self, allow: bool, option: Option<&str>) -> Result<Answered, String> {
        let wanted = if allow { "allow" } else { "reject" };
        let found = match option {
            None => ["_once", "", "_always"]
                .iter()
                .find_map(|suffix| self.options.iter().find(|o| o.kind == format!("{wanted}{suffix}"))),
            Some(text) => {
                let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let is =
                    |o: &&ApprovalOption| o.id == text || o.kind == text || o.name.eq_ignore_ascii_case(text);
                self.options.iter().find(is).or_else(|| self.options.get(number?))
            }
        };
        let fits = found.filter(|o| option.is_none() || o.kind.starts_with("allow") == allow);
        fits.map(|option| self.answered(option)).ok_or_else(|| {
            let ids: Vec<_> = self.options.iter().map(|o| o.id.as_str()).collect();
            match found {
                Some(_) => format!(
                    "that option of {} does the opposite; its options are {}",
                    self.id,
                    ids.join(", ")
                ),
                None => format!("{} has no such option; its options are {}", self.id, ids.join(", ")),
            }
        })
    }

    /// The answer that does not last; nothing if there is none, for what lasts is not said by one key.
    fn passing(&self, allow: bool) -> Option<Answered> {
        self.answer(allow, None).ok().filter(|answered| !answered.option.kind.ends_with("_always"))
    }

    fn answered(&self, option: &ApprovalOption) -> Answered {
        Answered { id: self.id.clone(), option: option.clone(), title: self.title.clone() }
    }

    /// The one option whose name begins with this letter of ASCII: what else an agent's names begin with is nothing to
    /// type, and may be nothing to show. Of several, the one that does not last.
    fn by_letter(&self, letter: &str) -> Option<&ApprovalOption> {
        let mut chars = letter.chars();
        let (Some(first @ ('a'..='z' | 'A'..='Z')), None) = (chars.next(), chars.next()) else { return None };
        let begins =
            |o: &&ApprovalOption| o.name.chars().next().is_some_and(|c| c.eq_ignore_ascii_case(&first));
        let found: Vec<_> = self.options.iter().filter(begins).collect();
        match found.as_slice() {
            [one] => Some(one),
            several => {
                let mut once = several.iter().filter(|o| o.kind.ends_with("_once"));
                once.next().filter(|_| once.next().is_none()).copied()
            }
        }
    }

    /// The request with its options, a line each.
    pub(super) fn lines(&self, bot: &str, now: Stamp, ink: Ink) -> Vec<String> {
        let left = show_duration(self.deadline.since(now));
        let mut lines = vec![format!(
            "{} {}",
            ink.yellow(&format!("? {bot} asks: {}", escape(&self.title, Place::Line))),
            ink.dim(&format!("({}, {left} left)", self.id))
        )];
        for (index, option) in self.options.iter().enumerate() {
            lines.push(format!(
                "  {}  {}",
                ink.bold(&(index + 1).to_string()),
                escape(&option.name, Place::Line)
            ));
        }
        lines
    }

    /// How to answer, in a line.
    pub(super) fn invitation(&self) -> String {
        let letters: Vec<String> = self
            .options
            .iter()
            .filter_map(|option| {
                let letter = option.name.chars().next()?.to_ascii_lowercase().to_string();
                self.by_letter(&letter).filter(|found| found.id == option.id).map(|_| letter)
            })
            .collect();
        let or = if letters.is_empty() { String::new() } else { format!(" or {}", letters.join("/")) };
        let title = escape(&self.title, Place::Line);
        let keys = match (self.passing(true), self.passing(false)) {
            (Some(_), Some(_)) => ", or Alt-Y/N at once,",
            (Some(_), None) => ", or Alt-Y at once,",
            (None, Some(_)) => ", or Alt-N at once,",
            (None, None) => "",
        };
        format!("1-{}{or} and Enter{keys} answers: {title}", self.options.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(id: &str, kind: &str, name: &str) -> ApprovalOption {
        ApprovalOption { id: id.into(), kind: kind.into(), name: name.into() }
    }

    fn requests() -> Requests {
        let request = Request {
            id: ItemId::parse("AP-1").unwrap(),
            turn: ItemId::parse("CHAT-1").ok(),
            title: "edit\x1b[2J main.rs".into(),
            options: vec![
                option("yes", "allow_once", "Allow once"),
                option("all", "allow_always", "Always allow"),
                option("no", "reject_once", "Reject"),
            ],
            deadline: Stamp::now(),
        };
        let mut requests = Requests::default();
        requests.add(request);
        requests
    }

    #[test]
    fn a_number_or_a_letter_answers() {
        let requests = requests();
        let answer =
            |line: &str| requests.answered_by(line).and_then(Result::ok).map(|found| found.option.id);
        assert_eq!(answer("2").as_deref(), Some("all"));
        assert_eq!(answer("r").as_deref(), Some("no"));
        assert_eq!(answer("R").as_deref(), Some("no"));
        // Two begin so; the one that does not last is meant.
        assert_eq!(answer("a").as_deref(), Some("yes"));
        for other in ["x", "ar", "+1", "allow it", ""] {
            assert_eq!(requests.answered_by(other), None, "{other}");
        }
        for beyond in ["0", "4", "99999999999999999999999"] {
            let why = requests.answered_by(beyond).unwrap().unwrap_err();
            assert_eq!(why, format!("{beyond} is none of the options 1-3 of AP-1"));
        }
        assert_eq!(Requests::default().answered_by("1"), None);
    }

    #[test]
    fn one_key_answers_at_once() {
        let requests = requests();
        let answer = |key| requests.answered_by_key(key).map(|answered| answered.option.id);
        assert_eq!(
            ['y', 'N', '2', '3'].map(answer),
            ["yes", "no", "all", "no"].map(|id| Some(id.to_owned()))
        );
        assert_eq!(['0', '4', 'a', 'x'].map(answer), [const { None }; 4]);
        assert_eq!(Requests::default().answered_by_key('y'), None);
        let mut lasting = requests.oldest().unwrap().clone();
        lasting.options.remove(0);
        assert_eq!(
            lasting.invitation(),
            "1-2 or a/r and Enter, or Alt-N at once, answers: edit\\x1b[2J main.rs"
        );
        let lasting = Requests(vec![lasting]);
        assert_eq!(lasting.answered_by_key('y'), None, "what lasts is not said by a letter with Alt");
    }

    #[test]
    fn approve_and_deny_choose_what_does_not_last() {
        let requests = requests();
        let request = requests.oldest().unwrap();
        let answer = |allow, option| request.answer(allow, option).map(|answered| answered.option.id);
        assert_eq!(answer(true, None).as_deref(), Ok("yes"));
        assert_eq!(answer(false, None).as_deref(), Ok("no"));
        assert_eq!(answer(true, Some("allow_always")).as_deref(), Ok("all"));
        assert_eq!(answer(true, Some("2")).as_deref(), Ok("all"));
        assert!(answer(true, Some("no")).unwrap_err().contains("the opposite"));
        assert!(answer(true, Some("perhaps")).unwrap_err().contains("yes, all, no"));
    }

    #[test]
    fn a_request_is_shown_with_its_options() {
        let requests = requests();
        let request = requests.oldest().unwrap();
        let lines = request.lines("BOT-1", Stamp::now(), Ink { color: false });
        assert!(lines[0].starts_with("? BOT-1 asks: edit\\x1b[2J main.rs (AP-1, "), "{lines:?}");
        assert_eq!(lines[1..], ["  1  Allow once", "  2  Always allow", "  3  Reject"]);
        assert_eq!(
            request.invitation(),
            "1-3 or a/r and Enter, or Alt-Y/N at once, answers: edit\\x1b[2J main.rs"
        );
    }

    #[test]
    fn only_letters_that_can_be_typed_are_offered() {
        let mut request = requests().oldest().unwrap().clone();
        let names = ["\u{e}x", "\u{9b}2J", "\u{202e}x", "\x1b[2J", "7 times", "é", "", "Zero"];
        request.options = names.map(|name| option(name, "allow_always", name)).to_vec();
        assert_eq!(request.invitation(), "1-8 or z and Enter answers: edit\\x1b[2J main.rs");
        assert_eq!(request.by_letter("\u{e}"), None);
    }

    #[test]
    fn a_turn_that_is_over_asks_nothing() {
        let mut requests = requests();
        requests.turn_is_over(&ItemId::parse("CHAT-2").unwrap());
        assert!(requests.oldest().is_some());
        requests.turn_is_over(&ItemId::parse("CHAT-1").unwrap());
        assert_eq!(requests.oldest(), None);
    }
}

//! Who may do what unasked.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use hive_shared::chat::ApprovalOption;
use hive_shared::paths::MARK;
use hive_shared::settings::{Approval, BotSettings};
use hive_shared::work::Source;

use crate::adapter::Question;
use crate::untrusted;

/// The kind of requests that run a program: what such a one touches, nobody can tell from its locations.
const EXECUTE: &str = "execute";
/// A star matches within one directory, two of them across.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// How an agent's request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// A person is asked.
    Ask,
}

/// How a bot's requests are answered, as its settings say.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    file: Approval,
    chat: Approval,
    rules: Vec<Rule>,
}

/// What needs no question: requests of a kind, all of whose locations match.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    kind: String,
    /// Of the paths below the working directory; all of them if there is none.
    locations: Option<Pattern>,
}

/// An entry of `approval_allow` that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("approval_allow: {0}")]
pub struct BadRule(String);

impl Policy {
    /// The policy of these settings.
    ///
    /// # Errors
    ///
    /// If an entry of `approval_allow` is none.
    pub fn new(settings: &BotSettings) -> Result<Self, BadRule> {
        let rules = settings.approval_allow.iter().map(|text| rule(text)).collect::<Result<_, _>>()?;
        let (file, chat) = (settings.approval_of(Source::File), settings.approval_of(Source::Chat));
        Ok(Self { file, chat, rules })
    }

    /// How a request in work from `source` is answered. What is on the list needs no question, whatever the answer to
    /// a question would be.
    pub fn decide(&self, source: Source, is_listed: bool) -> Verdict {
        if is_listed {
            return Verdict::Allow;
        }
        match self.answer(source) {
            Approval::Allow => Verdict::Allow,
            Approval::Deny => Verdict::Deny,
            Approval::Ask => Verdict::Ask,
        }
    }

    /// Whether it takes a look at paths to know if a request is on the list, and that matters. This takes none itself.
    pub fn needs_a_look(&self, source: Source, question: &Question) -> bool {
        let matters = match self.answer(source) {
            Approval::Allow => false,
            Approval::Deny | Approval::Ask => true,
        };
        matters && self.kind_that_may_be_listed(question).is_some()
    }

    /// Whether a request is on the list. The kind is the agent's claim, so every location must really be in the working
    /// directory. That takes a look at each, for as long as `is_awaited` says that somebody wants to know.
    pub fn is_listed(&self, question: &Question, workdir: &Path, is_awaited: &dyn Fn() -> bool) -> bool {
        self.kind_that_may_be_listed(question).is_some_and(|kind| {
            question.locations.iter().all(|place| is_awaited() && self.covers(kind, workdir, place))
        })
    }

    /// Where there is no location, there is nothing to go by.
    fn kind_that_may_be_listed<'q>(&self, question: &'q Question) -> Option<&'q str> {
        let kind = question.kind.as_deref().filter(|kind| *kind != EXECUTE)?;
        let are_all_known = question.more_locations == 0 && !question.locations.is_empty();
        (are_all_known && self.rules.iter().any(|rule| rule.kind == kind)).then_some(kind)
    }

    fn answer(&self, source: Source) -> Approval {
        match source {
            Source::File => self.file,
            Source::Chat | Source::Control => self.chat,
        }
    }

    fn covers(&self, kind: &str, workdir: &Path, place: &str) -> bool {
        place_of(workdir, place).is_some_and(|path| self.rules.iter().any(|rule| rule.covers(kind, &path)))
    }
}

/// Where a place is, from the working directory, if it is in it. The hive's own files are nobody's to touch unasked:
/// they hold the token, and the settings of what may be done unasked. Nor are git's, which name programs that are run.
/// An address is no path, nor is what a shell would make another of.
fn place_of(workdir: &Path, place: &str) -> Option<PathBuf> {
    if place.is_empty() || place.starts_with('~') || place.contains("://") {
        return None;
    }
    let path = untrusted::inside(workdir, Path::new(place)).ok()?;
    let is_guarded = |part| [MARK, ".git"].iter().any(|name| part == Component::Normal(name.as_ref()));
    (!path.components().any(is_guarded)).then_some(path)
}

impl Rule {
    fn covers(&self, kind: &str, path: &Path) -> bool {
        self.kind == kind
            && self.locations.as_ref().is_none_or(|pattern| pattern.matches_path_with(path, MATCHING))
    }
}

/// The option that says what was decided, for this once: nothing that is decided without a person holds for longer.
pub fn choose(options: &[ApprovalOption], allow: bool) -> Option<&ApprovalOption> {
    let kind = if allow { "allow_once" } else { "reject_once" };
    options.iter().find(|option| option.kind == kind)
}

fn rule(text: &str) -> Result<Rule, BadRule> {
    let (kind, locations) = match text.split_once(':') {
        Some((kind, locations)) => (kind.trim(), Some(locations.trim())),
        None => (text.trim(), None),
    };
    if kind.is_empty() || locations == Some("") {
        return Err(BadRule(format!(
            "'{text}' is neither a kind, such as read, nor KIND:PATTERN, such as edit:src/**"
        )));
    }
    if kind.eq_ignore_ascii_case(EXECUTE) {
        return Err(BadRule(format!(
            "'{text}': what runs a program cannot be told from its place, and is always asked"
        )));
    }
    let pattern = |text: &str| {
        let is_inside = Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside {
            return Err(BadRule(format!("'{text}' is no pattern of paths below the working directory")));
        }
        Pattern::new(text).map_err(|error| BadRule(format!("'{text}' is no pattern: {error}")))
    };
    Ok(Rule { kind: kind.to_owned(), locations: locations.map(pattern).transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(approval: Approval, allow: &[&str]) -> Policy {
        let allow = allow.iter().map(|&text| text.to_owned()).collect();
        Policy::new(&BotSettings { approval, approval_allow: allow, ..BotSettings::default() }).unwrap()
    }

    fn question(kind: &str, locations: &[&str]) -> Question {
        Question {
            key: 1,
            title: String::new(),
            kind: (!kind.is_empty()).then(|| kind.to_owned()),
            locations: locations.iter().map(|&text| text.to_owned()).collect(),
            more_locations: 0,
            options: Vec::new(),
        }
    }

    #[test]
    fn sources_may_have_policies_of_their_own() {
        let settings = BotSettings {
            approval: Approval::Ask,
            approval_file: Some(Approval::Deny),
            approval_chat: Some(Approval::Allow),
            ..BotSettings::default()
        };
        let policy = Policy::new(&settings).unwrap();
        assert_eq!(policy.decide(Source::File, false), Verdict::Deny);
        assert_eq!(policy.decide(Source::Chat, false), Verdict::Allow);
        assert_eq!(policy.decide(Source::File, true), Verdict::Allow);
        let usual = Policy::new(&BotSettings::default()).unwrap();
        assert_eq!(usual.decide(Source::File, false), Verdict::Ask);
    }

    #[test]
    fn paths_are_looked_at_only_where_it_matters() {
        let policy = policy(Approval::Ask, &["read"]);
        assert!(policy.needs_a_look(Source::File, &question("read", &["a"])));
        for (kind, locations) in [("edit", &["a"][..]), ("read", &[]), ("execute", &["a"]), ("", &["a"])] {
            assert!(!policy.needs_a_look(Source::File, &question(kind, locations)), "{kind} {locations:?}");
        }
        let lenient = Policy { chat: Approval::Allow, ..policy };
        assert!(!lenient.needs_a_look(Source::Chat, &question("read", &["a"])));
        assert!(lenient.needs_a_look(Source::File, &question("read", &["a"])));
        let place = question("read", &["a"]);
        assert!(lenient.is_listed(&place, Path::new("/"), &|| true));
        assert!(!lenient.is_listed(&place, Path::new("/"), &|| false), "nobody wants to know");
    }

    #[test]
    fn what_is_listed_is_allowed_inside_the_working_directory_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (work, outside) = (dir.path().join("work"), dir.path().join("outside"));
        for made in [&work.join("src/deep"), &work.join("docs"), &outside] {
            std::fs::create_dir_all(made).unwrap();
        }
        std::os::unix::fs::symlink(&outside, work.join("src/way-out")).unwrap();
        std::os::unix::fs::symlink(outside.join("not-yet"), work.join("src/dangling")).unwrap();
        std::os::unix::fs::symlink(work.join("docs"), work.join("src/to-docs")).unwrap();
        let policy = policy(Approval::Deny, &["read", "edit:src/**", "delete:*.tmp"]);
        let is_listed =
            |kind: &str, locations: &[&str]| policy.is_listed(&question(kind, locations), &work, &|| true);
        let absolute = work.join("src/new/file.rs");
        for (kind, locations) in [
            ("read", &["docs/any.md"][..]),
            ("read", &["./src/../docs"]),
            ("edit", &["src/main.rs", "src/deep/er/file.rs"]),
            ("edit", &[absolute.to_str().unwrap()]),
            ("delete", &["x.tmp"]),
        ] {
            assert!(is_listed(kind, locations), "{kind} {locations:?}");
        }
        for (kind, locations) in [
            ("read", &[][..]),
            ("read", &["../outside/secret"]),
            ("read", &["/etc/passwd"]),
            ("read", &["docs/any.md", "/etc/passwd"]),
            ("edit", &["docs/any.md"]),
            ("edit", &["src/way-out/file"]),
            ("edit", &["src/dangling"]),
            ("edit", &["src/to-docs/any.md"]),
            ("edit", &["src/missing/../../../outside/file"]),
            ("delete", &["src/x.tmp"]),
            ("execute", &["src/main.rs"]),
            ("", &["src/main.rs"]),
            ("READ", &["docs/any.md"]),
            // What an agent may mean by these is not what they are to us.
            ("read", &["file:///etc/passwd"]),
            ("read", &["~/.ssh/id_rsa"]),
            ("read", &["docs/any.md", ""]),
            // Who has the token, or writes the settings, allows itself all there is.
            ("read", &[".deia/hive/bots/BOT-1.token"]),
            ("read", &["src/../.git/hooks/pre-commit"]),
            ("read", &["docs/../.deia/hive.toml"]),
        ] {
            assert!(!is_listed(kind, locations), "{kind} {locations:?}");
        }
        let more = Question { more_locations: 1, ..question("read", &["docs/any.md"]) };
        assert!(!policy.is_listed(&more, &work, &|| true));
        assert!(!policy.is_listed(&question("read", &["x"]), &dir.path().join("none"), &|| true));
    }

    #[test]
    fn a_rule_that_cannot_be_meant_is_an_error() {
        for bad in [
            "",
            " : x",
            "edit:",
            "execute",
            "Execute",
            "execute:src/**",
            "edit:/etc/**",
            "edit:../**",
            "edit:a**b",
        ] {
            let settings = BotSettings { approval_allow: vec![bad.to_owned()], ..BotSettings::default() };
            assert!(Policy::new(&settings).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_decided_for_longer_than_once() {
        let option =
            |id: &str, kind: &str| ApprovalOption { id: id.into(), kind: kind.into(), name: id.into() };
        let options = [option("a", "allow_always"), option("b", "allow_once"), option("c", "reject_once")];
        assert_eq!(choose(&options, true).map(|option| option.id.as_str()), Some("b"));
        assert_eq!(choose(&options, false).map(|option| option.id.as_str()), Some("c"));
        assert_eq!(choose(&options[..1], true), None);
    }
}

//! What an agent did along the way, as an entry of the timeline keeps it: in order, each as it stands by now, within
//! bounds. The oldest go first.

use std::collections::VecDeque;

use hive_shared::api::{MAX_STEPS, MAX_STEPS_BYTES};
use hive_shared::step::{FileDiff, PlanEntry, Step, ToolCall};
use serde::Serialize;

use crate::untrusted::cut;

/// The most bytes of one step, about.
const MAX_STEP: usize = 16 * 1024;
/// The most bytes of each side of a diff, and of a line of a plan.
const MAX_TEXT: usize = 4 * 1024;
/// What a step costs beside what it tells.
const A_STEP: usize = 64;

/// Steps, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// The steps.
    pub list: Vec<Step>,
    /// Whether that is not all.
    pub truncated: bool,
}

/// Gathers steps as they happen.
#[derive(Default)]
pub(super) struct Recorder {
    steps: VecDeque<Kept>,
    bytes: usize,
    truncated: bool,
    /// Whether the last step is a thought that goes on.
    is_thinking: bool,
    version: u64,
}

struct Kept {
    step: Step,
    size: usize,
}

impl Recorder {
    /// Changes with every change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// All of them, as they are now.
    pub(super) fn steps(&self) -> Steps {
        Steps { list: self.steps.iter().map(|kept| kept.step.clone()).collect(), truncated: self.truncated }
    }

    /// The bytes that they take, about.
    pub(super) fn size(&self) -> usize {
        self.bytes
    }

    /// The work starts over.
    pub(super) fn clear(&mut self) {
        *self = Self { version: self.version + 1, ..Self::default() };
    }

    /// The agent speaks: what it thinks next is another thought.
    pub(super) fn spoke(&mut self) {
        self.is_thinking = false;
    }

    /// The agent thinks.
    pub(super) fn thought(&mut self, more: &str) {
        let begins = more.ceil_char_boundary(more.len().saturating_sub(MAX_STEP / 2));
        self.truncated |= begins > 0;
        let more = &more[begins..];
        // Without the quotes.
        let size = json_size(&more) - 2;
        match self.steps.back_mut() {
            Some(Kept { step: Step::Thought { content }, size: so_far }) if self.is_thinking => {
                content.push_str(more);
                *so_far += size;
                self.bytes += size;
                while *so_far > MAX_STEP {
                    // Half of it at a time, so that a long thought is not moved with each of its letters.
                    let dropped = content.ceil_char_boundary(content.len() / 2);
                    content.drain(..dropped);
                    let now = json_size(&content) + A_STEP;
                    self.bytes = self.bytes + now - *so_far;
                    *so_far = now;
                    self.truncated = true;
                }
            }
            Some(_) | None => {
                self.push(Step::Thought { content: more.to_owned() });
                self.is_thinking = true;
            }
        }
        self.changed();
    }

    /// The agent uses a tool, or a call of it goes on.
    pub(super) fn tool_call(&mut self, call: &ToolCall) {
        let step = Step::ToolCall(self.fit_call(call));
        let is_it = |kept: &Kept| matches!(&kept.step, Step::ToolCall(known) if known.id == call.id);
        self.put(step, is_it);
    }

    /// The agent has a plan.
    pub(super) fn plan(&mut self, entries: &[PlanEntry]) {
        let step = Step::Plan { entries: self.fit_plan(entries) };
        self.put(step, |kept| matches!(kept.step, Step::Plan { .. }));
    }

    /// Puts a step in the place of the one that it goes on, or after the others.
    fn put(&mut self, step: Step, is_it: impl Fn(&Kept) -> bool) {
        match self.steps.iter_mut().rfind(|kept| is_it(kept)) {
            Some(known) => {
                let size = json_size(&step) + A_STEP;
                self.bytes = self.bytes + size - known.size;
                *known = Kept { step, size };
            }
            None => self.push(step),
        }
        self.changed();
    }

    fn push(&mut self, step: Step) {
        let size = json_size(&step) + A_STEP;
        self.bytes += size;
        self.steps.push_back(Kept { step, size });
        self.is_thinking = false;
    }

    fn changed(&mut self) {
        self.version += 1;
        while self.steps.len() > MAX_STEPS || self.bytes > MAX_STEPS_BYTES {
            let Some(oldest) = self.steps.pop_front() else { break };
            self.bytes -= oldest.size;
            self.truncated = true;
        }
    }

    /// As much of a call as a step holds.
    fn fit_call(&mut self, call: &ToolCall) -> ToolCall {
        let mut room = MAX_STEP;
        let mut fits = |size: usize| match room.checked_sub(size) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let short = |text: &str| cut(text, MAX_TEXT);
        let locations: Vec<_> = call.locations.iter().take_while(|it| fits(json_size(it))).cloned().collect();
        let diffs: Vec<_> = call
            .diffs
            .iter()
            .map(|diff| FileDiff {
                path: diff.path.clone(),
                old_text: diff.old_text.as_deref().map(short),
                new_text: short(&diff.new_text),
            })
            .take_while(|diff| fits(json_size(diff)))
            .collect();
        self.truncated |= locations.len() < call.locations.len() || diffs != call.diffs;
        ToolCall { locations, diffs, ..call.clone() }
    }

    /// As much of a plan as a step holds.
    fn fit_plan(&mut self, entries: &[PlanEntry]) -> Vec<PlanEntry> {
        let mut room = MAX_STEP;
        let kept: Vec<_> = entries
            .iter()
            .map(|entry| PlanEntry { content: cut(&entry.content, MAX_TEXT), ..entry.clone() })
            .map_while(|entry| {
                room = room.checked_sub(json_size(&entry))?;
                Some(entry)
            })
            .collect();
        self.truncated |= kept != entries;
        kept
    }
}

fn json_size(value: &impl Serialize) -> usize {
    serde_json::to_string(value).expect("a step has string keys only").len()
}

#[cfg(test)]
mod tests {
    use hive_shared::step::Location;

    use super::*;

    fn call(id: &str, status: &str) -> ToolCall {
        ToolCall { id: id.into(), title: "Read".into(), status: status.into(), ..ToolCall::default() }
    }

    fn thought(content: &str) -> Step {
        Step::Thought { content: content.into() }
    }

    fn plan(contents: &[&str]) -> Vec<PlanEntry> {
        let entry = |content: &&str| PlanEntry { content: (*content).into(), priority: None, status: None };
        contents.iter().map(entry).collect()
    }

    #[test]
    fn thoughts_grow_and_calls_and_the_plan_are_updated_where_they_stand() {
        let mut recorder = Recorder::default();
        recorder.thought("h");
        recorder.thought("m");
        recorder.tool_call(&call("1", "pending"));
        recorder.plan(&plan(&["look"]));
        recorder.tool_call(&call("2", "pending"));
        recorder.thought("so");
        recorder.spoke();
        recorder.thought("then");
        let version = recorder.version();
        recorder.tool_call(&call("1", "completed"));
        recorder.plan(&plan(&["look", "mend"]));
        assert_eq!(recorder.version(), version + 2);
        let expected = vec![
            thought("hm"),
            Step::ToolCall(call("1", "completed")),
            Step::Plan { entries: plan(&["look", "mend"]) },
            Step::ToolCall(call("2", "pending")),
            thought("so"),
            thought("then"),
        ];
        assert_eq!(recorder.steps(), Steps { list: expected, truncated: false });
        recorder.clear();
        assert_eq!(recorder.steps(), Steps::default());
        assert!(recorder.version() > version + 2, "that they are gone is a change too");
    }

    #[test]
    fn there_are_no_more_than_an_entry_holds_and_the_oldest_go_first() {
        let mut recorder = Recorder::default();
        for n in 0..=MAX_STEPS {
            recorder.tool_call(&call(&n.to_string(), ""));
        }
        let steps = recorder.steps();
        assert!(steps.truncated && steps.list.len() <= MAX_STEPS);
        assert_eq!(steps.list.last(), Some(&Step::ToolCall(call(&MAX_STEPS.to_string(), ""))));
        assert_ne!(steps.list.first(), Some(&Step::ToolCall(call("0", ""))));
    }

    #[test]
    fn whatever_an_agent_tells_its_steps_stay_within_their_bytes() {
        let long = "\u{1}".repeat(100_000);
        let mut recorder = Recorder::default();
        let check = |recorder: &Recorder| {
            let steps = recorder.steps();
            let bytes = serde_json::to_string(&steps.list).unwrap().len();
            assert!(steps.truncated && bytes <= MAX_STEPS_BYTES && !steps.list.is_empty(), "{bytes}");
        };
        for n in 0..20 {
            let location = Location { path: "a".repeat(4_000), line: Some(n) };
            let diff = FileDiff { path: "a".into(), old_text: Some(long.clone()), new_text: long.clone() };
            recorder.tool_call(&ToolCall {
                locations: vec![location; 100],
                diffs: vec![diff; 10],
                ..call(&n.to_string(), "")
            });
            check(&recorder);
        }
        for _ in 0..100_000 {
            recorder.thought("\u{1}ä");
        }
        check(&recorder);
        for _ in 0..2 {
            recorder.thought(&long);
            check(&recorder);
            assert!(matches!(recorder.steps().list.last(), Some(Step::Thought { .. })));
        }
        recorder.plan(&plan(&vec![long.as_str(); 100]));
        check(&recorder);
        assert!(recorder.size() <= MAX_STEPS_BYTES);
    }
}

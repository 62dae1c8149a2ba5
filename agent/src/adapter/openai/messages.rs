//! What the server is sent: the conversation, within its budget, and what was said of an answer that was interrupted.

use hive_shared::settings::OpenAiSettings;
use serde_json::{Value, json};

use super::super::{Exchange, RunSpec};

/// The bytes that a token is taken to have. No server's own count is known before it has counted.
const BYTES_A_TOKEN: u64 = 4;
/// What a message costs beside its text, in bytes.
const A_MESSAGE: usize = 16;

/// What a model is told that was interrupted.
const GO_ON: &str = "You were interrupted in the middle of your answer. Go on exactly where you left off: repeat nothing \
    of what you have said, and do not mention the interruption.";
/// What stands for the rest of an answer that was cut short.
const CUT: &str = "\n\n[The rest of this answer is missing.]";

/// What a server may not understand, and is then left out or said in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// It is asked to tell the cost of a streamed answer.
    pub(super) wants_usage: bool,
    /// The bound of an answer has its newer name.
    pub(super) says_completion_tokens: bool,
}

impl Dialect {
    /// What every server is tried with first.
    pub(super) const FIRST: Self = Self { wants_usage: true, says_completion_tokens: false };
}

/// How many bytes a request may have, about.
pub(super) fn budget(settings: &OpenAiSettings) -> usize {
    usize::try_from(settings.context_tokens.saturating_mul(BYTES_A_TOKEN)).unwrap_or(usize::MAX)
}

/// The messages of a run before it has said anything.
#[derive(Debug)]
pub(super) struct Conversation {
    messages: Vec<Value>,
    budget: usize,
    /// How many exchanges did not fit.
    pub(super) left_out: usize,
}

impl Conversation {
    /// The system prompt and the instruction are always part of it; of the exchanges before, the newest that fit.
    pub(super) fn of(settings: &OpenAiSettings, spec: &RunSpec) -> Self {
        let budget = budget(settings);
        let system = settings.system_prompt.as_deref().filter(|text| !text.trim().is_empty());
        let fixed = system.map_or(0, |text| text.len() + A_MESSAGE) + spec.instruction.len() + A_MESSAGE;
        let kept = newest_that_fit(&spec.earlier, budget.saturating_sub(fixed));
        let mut messages = Vec::new();
        messages.extend(system.map(|text| json!({"role": "system", "content": text})));
        for exchange in kept {
            let cut = if exchange.is_cut { CUT } else { "" };
            messages.push(json!({"role": "user", "content": exchange.prompt}));
            messages.push(json!({"role": "assistant", "content": format!("{}{cut}", exchange.answer)}));
        }
        messages.push(json!({"role": "user", "content": spec.instruction}));
        Self { messages, budget, left_out: spec.earlier.len() - kept.len() }
    }

    /// The body of a request. `said` is what the model has said of its answer before it was interrupted.
    pub(super) fn request(&self, settings: &OpenAiSettings, said: &str, dialect: Dialect) -> Value {
        let mut messages = self.messages.clone();
        if !said.trim().is_empty() {
            messages.push(json!({"role": "assistant", "content": end_of(said, self.budget / 2)}));
            messages.push(json!({"role": "user", "content": GO_ON}));
        }
        let mut body = json!({"model": settings.model, "messages": messages, "stream": true});
        if dialect.wants_usage {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let Some(tokens) = settings.max_tokens {
            let key = if dialect.says_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
            body[key] = tokens.into();
        }
        if let Some(temperature) = settings.temperature {
            body["temperature"] = temperature.into();
        }
        body
    }
}

fn newest_that_fit(exchanges: &[Exchange], mut room: usize) -> &[Exchange] {
    let mut first = exchanges.len();
    for exchange in exchanges.iter().rev() {
        let cut = if exchange.is_cut { CUT.len() } else { 0 };
        let size = exchange.prompt.len() + exchange.answer.len() + cut + 2 * A_MESSAGE;
        let Some(left) = room.checked_sub(size) else { break };
        room = left;
        first -= 1;
    }
    &exchanges[first..]
}

/// The end of a text, `bytes` of it at most but for a mark of what is missing.
fn end_of(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("…{}", &text[text.ceil_char_boundary(text.len() - bytes)..])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hive_shared::ids::{BotId, ItemId};
    use hive_shared::work::Source;
    use proptest::prelude::*;

    use super::*;

    fn exchange(prompt: &str, answer: &str) -> Exchange {
        Exchange { prompt: prompt.into(), answer: answer.into(), is_cut: false }
    }

    fn spec(earlier: Vec<Exchange>, instruction: &str) -> RunSpec {
        RunSpec {
            run_id: "RUN-1".into(),
            bot: BotId::parse("BOT-002").unwrap(),
            item: ItemId::parse("CHAT-1").unwrap(),
            source: Source::Chat,
            session: "dana".into(),
            agent_session: None,
            goes_on: false,
            earlier,
            instruction: instruction.into(),
            workdir: PathBuf::new(),
        }
    }

    fn settings(context_tokens: u64) -> OpenAiSettings {
        OpenAiSettings {
            model: Some("m".into()),
            system_prompt: Some("Be brief.".into()),
            context_tokens,
            ..OpenAiSettings::default()
        }
    }

    #[test]
    fn a_request_has_the_conversation_in_its_order() {
        let mut earlier = vec![exchange("one?", "One."), exchange("two?", "Tw")];
        earlier[1].is_cut = true;
        let conversation = Conversation::of(&settings(1_000), &spec(earlier, "three?"));
        let body = conversation.request(&settings(1_000), "", Dialect::FIRST);
        let expected = json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "one?"},
                {"role": "assistant", "content": "One."},
                {"role": "user", "content": "two?"},
                {"role": "assistant", "content": "Tw\n\n[The rest of this answer is missing.]"},
                {"role": "user", "content": "three?"},
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        assert_eq!(body, expected);

        let resumed = conversation.request(&settings(1_000), "Thr", Dialect::FIRST);
        let messages = resumed["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 8);
        assert_eq!(messages[6], json!({"role": "assistant", "content": "Thr"}));
        assert_eq!(messages[7]["role"], "user");
    }

    #[test]
    fn options_are_sent_where_they_are_set_and_understood() {
        let settings = OpenAiSettings { max_tokens: Some(7), temperature: Some(0.5), ..settings(1_000) };
        let conversation = Conversation::of(&settings, &spec(Vec::new(), "x"));
        let body = conversation.request(&settings, "", Dialect::FIRST);
        assert_eq!((&body["max_tokens"], &body["temperature"]), (&json!(7), &json!(0.5)));
        let other = Dialect { wants_usage: false, says_completion_tokens: true };
        let body = conversation.request(&settings, "", other);
        assert_eq!((&body["max_tokens"], &body["max_completion_tokens"]), (&Value::Null, &json!(7)));
        assert_eq!(body.get("stream_options"), None);
    }

    #[test]
    fn what_was_said_is_sent_from_its_end_where_it_is_long() {
        let conversation = Conversation::of(&settings(5), &spec(Vec::new(), "x"));
        let body = conversation.request(&settings(5), "äöü one two three", Dialect::FIRST);
        assert_eq!(body["messages"][2]["content"], "… two three");
        assert_eq!(end_of("aäö", 3), "…ö");
    }

    proptest! {
        #[test]
        fn the_budget_holds_and_the_newest_stays(
            sizes in prop::collection::vec((0_usize..300, 1_usize..300), 0..20),
            instruction in 0_usize..600,
            tokens in 1_u64..500,
        ) {
            let earlier: Vec<_> =
                sizes.iter().map(|(p, a)| exchange(&"p".repeat(*p), &"a".repeat(*a))).collect();
            let spec = spec(earlier.clone(), &"i".repeat(instruction));
            let settings = settings(tokens);
            let conversation = Conversation::of(&settings, &spec);
            let kept = earlier.len() - conversation.left_out;
            let content = |message: &Value| message["content"].as_str().unwrap().to_owned();
            let sent: Vec<String> = conversation.messages.iter().map(content).collect();
            prop_assert_eq!(&sent[0], "Be brief.");
            prop_assert_eq!(sent.last().unwrap(), &spec.instruction);
            prop_assert_eq!(sent.len(), 2 + 2 * kept);
            for (pair, exchange) in sent[1..].chunks(2).zip(&earlier[conversation.left_out..]) {
                prop_assert_eq!(pair, &[exchange.prompt.clone(), exchange.answer.clone()]);
            }
            let size: usize = sent.iter().map(String::len).sum();
            prop_assert!(kept == 0 || size <= budget(&settings));
        }
    }
}

//! An item as its response document says it, and back: what a ledger that is lost is rebuilt from (SPEC 2 and 4).

use std::time::Duration;

use hive_shared::ids::BotId;
use hive_shared::response::{self, ResponseHeader, SCHEMA};
use hive_shared::time::Stamp;
use hive_shared::work::{Source, Status};

use crate::prompt;
use crate::store::{Detail, Item};

/// The beginning of the response document of an item that has ended, of a chat turn with what was prompted; what was
/// said follows.
pub(crate) fn head(item: &Item, bot: &BotId, prompt: Option<String>) -> String {
    let is_chat = item.source == Source::Chat;
    let header = ResponseHeader {
        schema: SCHEMA,
        task_id: (!is_chat).then(|| item.id.clone()),
        chat_id: is_chat.then(|| item.id.clone()),
        bot_id: bot.clone(),
        source: item.source,
        from: (!is_chat).then(|| item.detail.from.clone()),
        sender: item.detail.sender.clone(),
        session: item.detail.session.clone(),
        prompt,
        title: (!is_chat).then(|| item.title.clone()),
        priority: (!is_chat).then_some(item.priority),
        timestamp: item.ended_at.unwrap_or_else(Stamp::now),
        status: item.status,
        success: item.status == Status::Completed,
        started_at: item.started_at,
        completed_at: item.ended_at,
        duration_seconds: item.used.as_secs_f64(),
        attempts: item.attempts,
        preemptions: item.preemptions,
        files_modified: item.files_modified.clone(),
        usage: item.usage.clone(),
        error: item.error.clone(),
        error_code: item.error_code.clone(),
        retry_of: item.detail.retry_of.clone(),
    };
    response::write(&header, "")
}

/// The item that a response document of this bot is of, as far as it tells. None if it is another bot's, or says no
/// id or no end. What an item was told to do and how its file looked, a response does not say.
pub(crate) fn item(header: ResponseHeader, bot: &BotId, response_file: &str) -> Option<Item> {
    let id = match header.source {
        Source::File => header.task_id?,
        Source::Chat => header.chat_id?,
        Source::Control => return None,
    };
    if header.bot_id != *bot || !header.status.is_final() {
        return None;
    }
    let ended_at = header.completed_at.unwrap_or(header.timestamp);
    let (title, digest) = match header.source {
        Source::File | Source::Control => (header.title.unwrap_or_default(), String::new()),
        Source::Chat => {
            let [message, user, session] =
                [&header.prompt, &header.sender, &header.session].map(|it| it.as_deref().unwrap_or_default());
            (prompt::title(message), prompt::digest(message, user, session))
        }
    };
    let detail = Detail {
        from: header.from.unwrap_or_default(),
        interruptible: true,
        retry_of: header.retry_of,
        sender: header.sender,
        session: header.session,
        ..Detail::default()
    };
    Some(Item {
        status: header.status,
        priority: header.priority.unwrap_or_default(),
        seen_at: header.started_at.unwrap_or(ended_at),
        attempts: header.attempts,
        preemptions: header.preemptions,
        started_at: header.started_at,
        ended_at: Some(ended_at),
        used: Duration::try_from_secs_f64(header.duration_seconds).unwrap_or_default(),
        error: header.error,
        error_code: header.error_code,
        files_modified: header.files_modified,
        usage: header.usage,
        response_file: Some(response_file.to_owned()),
        settled: true,
        ..Item::new(id, header.source, title, digest, detail)
    })
}

#[cfg(test)]
mod tests {
    use hive_shared::work::Priority;
    use serde_json::json;

    use super::*;

    fn ended(source: Source) -> Item {
        let is_chat = source == Source::Chat;
        let detail = Detail {
            from: if is_chat { String::new() } else { "dana".into() },
            interruptible: true,
            sender: is_chat.then(|| "dana".into()),
            session: is_chat.then(|| "spring".into()),
            ..Detail::default()
        };
        let digest = if is_chat { prompt::digest("Say hello", "dana", "spring") } else { String::new() };
        let at = |micros| Some(Stamp::from_micros(micros));
        Item {
            status: Status::TimedOut,
            priority: if is_chat { Priority::default() } else { Priority::P1 },
            seen_at: Stamp::from_micros(5_000_000),
            attempts: 2,
            preemptions: 1,
            started_at: at(5_000_000),
            ended_at: at(7_000_001),
            used: Duration::from_micros(1_250_001),
            error: Some("the limit is over".into()),
            error_code: Some("timed_out".into()),
            files_modified: vec!["a b.rs".into()],
            usage: Some(json!({"tokens": 7})),
            response_file: Some("X-response.md".into()),
            settled: true,
            ..Item::new("X".parse().unwrap(), source, "Say hello".into(), digest, detail)
        }
    }

    #[test]
    fn an_item_is_read_back_from_its_response() {
        let bot = BotId::parse("BOT-1").unwrap();
        for source in [Source::File, Source::Chat] {
            let item = ended(source);
            let prompt = (source == Source::Chat).then(|| "Say hello".to_owned());
            let text = head(&item, &bot, prompt) + "hello\n---\n";
            let (header, said) = response::read(&text).unwrap();
            assert_eq!(said, "hello\n---\n");
            assert_eq!(super::item(header.clone(), &bot, "X-response.md"), Some(item));
            assert_eq!(super::item(header, &BotId::parse("BOT-2").unwrap(), "X-response.md"), None);
        }
    }
}

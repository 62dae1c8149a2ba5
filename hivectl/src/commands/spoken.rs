//! What `ask` and `chat` share: who speaks, and what a refusal means.

use hive_shared::api::code;
use hive_shared::chat::Prompt;
use hive_shared::client::ClientError;
use hive_shared::ids::BotId;
use hive_shared::work::WhenBusy;

use crate::error::{Exit, Failure, conflict_hint};

/// A prompt from the user of this machine.
pub(super) fn prompt(message: String, session: Option<String>, when_busy: WhenBusy) -> Prompt {
    let user =
        ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| "unknown".to_owned());
    Prompt { message, user, id: None, session, when_busy, timeout_seconds: None }
}

/// What ends a connection to the prompt socket. A bot that is there and has none does not chat.
pub(super) fn socket_failure(bot: &BotId, error: ClientError) -> Failure {
    match error {
        ClientError::NotFound { .. } => no_chat(bot),
        error => error.into(),
    }
}

/// The failure that the bot refused a prompt.
pub(super) fn refusal(bot: &BotId, code: &str, message: String) -> Failure {
    let exit = match code {
        code::MODE => return no_chat(bot),
        code::BAD_REQUEST => Exit::Usage,
        code::NOT_FOUND => Exit::NotFound,
        code::UNAUTHORIZED => Exit::Unauthorized,
        _ => Exit::Conflict,
    };
    Failure { exit, message, hint: conflict_hint(code) }
}

fn no_chat(bot: &BotId) -> Failure {
    Failure::new(Exit::Conflict, format!("{bot} takes no chat: its mode is cli-only"))
        .hint(format!("'hivectl submit {bot} TEXT --follow' hands it a task"))
}

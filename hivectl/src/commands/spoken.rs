//! What `ask` and `chat` share: who speaks, and what a refusal means.

use hive_shared::api::code;
use hive_shared::chat::Prompt;
use hive_shared::client::ClientError;
use hive_shared::ids::BotId;
use hive_shared::work::WhenBusy;

use crate::error::{Exit, Failure, conflict_hint};

/// A prompt from the user of this machine.
pub(super) fn prompt(message: String, session: Option<String>, when_busy: WhenBusy) -> Prompt {
    Prompt { message, user: user(), id: None, session, when_busy, timeout_seconds: None }
}

/// Who speaks: as the environment says, else as the system knows them.
pub(super) fn user() -> String {
    let variable = |name: &&str| std::env::var(name).ok().filter(|user| !user.is_empty());
    let named = ["USER", "LOGNAME"].iter().find_map(variable);
    let id = nix::unistd::getuid();
    let known = || nix::unistd::User::from_uid(id).ok().flatten().map(|user| user.name);
    named.or_else(known).unwrap_or_else(|| id.to_string())
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

/// The failure that a bot does not chat.
pub(super) fn no_chat(bot: &BotId) -> Failure {
    Failure::new(Exit::Conflict, format!("{bot} takes no chat: its mode is cli-only"))
        .hint(format!("'hivectl submit {bot} TEXT --follow' hands it a task"))
}

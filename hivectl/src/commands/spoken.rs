//! What `ask` and `chat` share: who speaks, and what a refusal means.

use hive_shared::api::code;
use hive_shared::chat::{MAX_FRAME, Prompt};
use hive_shared::client::ClientError;
use hive_shared::ids::BotId;
use hive_shared::task::MAX_TASK_BYTES;
use hive_shared::work::WhenBusy;

use crate::error::{Exit, Failure, conflict_hint};

/// A prompt from the user of this machine.
pub(super) fn prompt(message: String, session: Option<String>, when_busy: WhenBusy) -> Prompt {
    Prompt { message, user: user(), id: None, session, when_busy, timeout_seconds: None }
}

/// Whether a text can be said. A frame that is too long would end the connection, again and again.
pub(super) fn check(message: &str) -> Result<(), Failure> {
    // Beside the text a frame has names of bounded length.
    const REST: usize = 4 * 1024;
    let encoded = serde_json::Value::from(message).to_string().len();
    if message.len() <= MAX_TASK_BYTES && encoded + REST <= MAX_FRAME {
        return Ok(());
    }
    let text =
        format!("the text has {} bytes, which is too much: it may have {MAX_TASK_BYTES}", message.len());
    Err(Failure::new(Exit::Conflict, text).hint("put it into a file, and tell the bot where that is"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_frame_holds_is_not_sent() {
        let exit = |text: &str| check(text).map_err(|failure| failure.exit);
        assert_eq!(exit("hello"), Ok(()));
        assert_eq!(exit(&"x".repeat(MAX_TASK_BYTES)), Ok(()));
        assert_eq!(exit(&"x".repeat(MAX_TASK_BYTES + 1)), Err(Exit::Conflict));
        // Written as JSON it is twice as long.
        assert_eq!(exit(&"\n".repeat(MAX_TASK_BYTES)), Err(Exit::Conflict));
    }
}

//! Task documents as the inbox reads them: small enough to hold a hundred thousand of them.

use hive_shared::ids::BotId;
use hive_shared::task::{self, MAX_TASK_BYTES, NotATask, Reading, TaskDocument};
use jiff::tz::TimeZone;

use super::{FileFacts, Parsed};

/// A task document less its instruction, which is read from the file again when the task starts.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskHead {
    /// The document; its `instruction` is empty.
    pub document: TaskDocument,
    /// [`TaskDocument::digest`] of the whole document.
    pub digest: String,
}

/// What a complete file turned out to be.
pub type TaskReading = Result<TaskHead, NotATask>;

/// The reader of task files, to be handed to [`start`](super::start).
///
/// Takes the bot whose directory it is, all bots of the hive, and the machine's zone. A file that is not a task is
/// ordered by when it was modified.
pub fn reader(
    bot: BotId,
    bots: Vec<BotId>,
    zone: TimeZone,
) -> impl Fn(&[u8], &FileFacts<'_>) -> Parsed<TaskReading> + Send + 'static {
    move |bytes, facts| {
        let FileFacts { name, modified, size } = *facts;
        let reading = Reading { file_name: name, modified, bot: &bot, bots: &bots, zone: &zone };
        match head(bytes, size, &reading) {
            Ok(head) => Parsed { created: head.document.created, content: Ok(head) },
            Err(e) => Parsed { created: modified, content: Err(e) },
        }
    }
}

fn head(bytes: &[u8], size: u64, reading: &Reading<'_>) -> TaskReading {
    // Such a file was not read to its end.
    if bytes.len() > MAX_TASK_BYTES {
        return Err(NotATask::TooLarge(usize::try_from(size).unwrap_or(usize::MAX)));
    }
    let mut document = task::read(bytes, reading)?;
    let digest = document.digest();
    document.instruction = String::new();
    Ok(TaskHead { document, digest })
}

#[cfg(test)]
mod tests {
    use hive_shared::time::Stamp;

    use super::*;

    fn parsed(bytes: &[u8], size: u64) -> Parsed<TaskReading> {
        let bot = BotId::parse("BOT-1").unwrap();
        let facts = FileFacts { name: "T-1.md", modified: Stamp::from_micros(7), size };
        reader(bot.clone(), vec![bot], TimeZone::UTC)(bytes, &facts)
    }

    #[test]
    fn the_head_has_the_digest_of_the_whole_and_no_instruction() {
        let text = b"# Title\n\n**Created:** 2025-10-18T21:15:00Z\n**Priority:** P1\n\nDo it.\n";
        let Parsed { created, content } = parsed(text, text.len() as u64);
        let other = parsed(b"# Title\n\n**Created:** 2025-10-18T21:15:00Z\n**Priority:** P1\n\nDo not.\n", 9);
        let head = content.unwrap();
        assert_eq!(created, "2025-10-18T21:15:00Z".parse().unwrap());
        assert_eq!((head.document.title.as_str(), head.document.instruction.as_str()), ("Title", ""));
        assert_ne!(head.digest, other.content.unwrap().digest);
    }

    #[test]
    fn what_is_no_task_says_why_and_how_large_it_really_is() {
        let Parsed { created, content } = parsed(b"", 0);
        assert_eq!((created, content), (Stamp::from_micros(7), Err(NotATask::Empty)));
        let cut = vec![b'x'; MAX_TASK_BYTES + 1];
        assert_eq!(parsed(&cut, 5_000_000).content, Err(NotATask::TooLarge(5_000_000)));
    }
}

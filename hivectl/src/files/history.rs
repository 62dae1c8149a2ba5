//! What a bot that is down has done: its response documents.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use hive_shared::api::{Entry, MAX_CONTENT, TaskDetail};
use hive_shared::ids::ItemId;
use hive_shared::paths::Hive;
use hive_shared::regular_file;
use hive_shared::response::{self, ResponseHeader};
use hive_shared::work::{Kind, SenderType, Source, Status};

use super::{Files, Listing, Unread};
use crate::error::{Exit, Failure, chain};

/// A response document of this bot.
pub(super) struct Answer {
    pub(super) header: ResponseHeader,
    /// Its text, at most [`MAX_CONTENT`] bytes of it.
    content: String,
    truncated: bool,
    file: String,
}

impl Files {
    /// The response document of an item, whole.
    pub fn response(&self, id: &ItemId) -> Result<Option<String>, Failure> {
        let Some(answer) = self.find_answer(id)? else { return Ok(None) };
        let path = self.hive.responses().join(&answer.file);
        let document = regular_file::read(&path, usize::MAX).map_err(|e| Failure::io("read", &path, &e))?;
        Ok(Some(String::from_utf8_lossy(&document).into_owned()))
    }

    /// An item that has its response.
    pub(super) fn answered(&self, id: &ItemId) -> Result<Option<TaskDetail>, Failure> {
        let Some(answer) = self.find_answer(id)? else { return Ok(None) };
        let archived = self.archived()?;
        let Answer { header, content, truncated, file } = answer;
        let task = self.answered_view(&header, id, archived.get(id));
        Ok(Some(TaskDetail {
            bot_id: self.bot.clone(),
            task,
            source: header.source,
            started_at: header.started_at,
            completed_at: header.completed_at,
            duration_seconds: Some(header.duration_seconds),
            success: Some(header.success),
            error: header.error,
            error_code: header.error_code,
            files_modified: header.files_modified,
            response_file: Some(file),
            response: Some(content),
            content_truncated: truncated,
            // Its document does not tell of them.
            steps: Vec::new(),
            steps_truncated: false,
        }))
    }

    /// The timeline as far as the files tell it, oldest first: what was answered, then what waits.
    pub fn entries(&self) -> Result<Listing<Entry>, Failure> {
        let mut entries = Vec::new();
        let Listing { found, mut unread } = self.answers()?;
        for answer in found {
            entries.extend(self.entries_of(answer));
        }
        let queue = self.queue()?;
        unread.extend(queue.unread);
        for queued in queue.found {
            let view = queued.view;
            entries.push(Entry {
                task_id: Some(view.task_id.clone()),
                title: Some(view.title),
                priority: Some(view.priority),
                sender: Some(view.from),
                warnings: view.warnings,
                ..self.blank(view.task_id.to_string(), view.created, Source::File, Kind::Task, Status::Queued)
            });
        }
        entries.sort_by_key(|a| a.timestamp);
        Ok(Listing { found: entries, unread })
    }

    fn entries_of(&self, answer: Answer) -> Vec<Entry> {
        let Answer { header, content, truncated, file } = answer;
        let began = header.started_at.unwrap_or(header.timestamp);
        let ended = header.completed_at.unwrap_or(header.timestamp);
        let end = |id: String, source, kind, at| Entry {
            updated_at: ended,
            content,
            content_truncated: truncated,
            success: Some(header.success),
            error: header.error.clone(),
            error_code: header.error_code.clone(),
            duration_seconds: Some(header.duration_seconds),
            files_modified: header.files_modified.clone(),
            preemptions: Some(header.preemptions),
            usage: header.usage.clone(),
            response_file: Some(file),
            ..self.blank(id, at, source, kind, header.status)
        };
        if let Some(task_id) = &header.task_id {
            return vec![Entry {
                task_id: Some(task_id.clone()),
                title: header.title.clone(),
                priority: header.priority,
                sender: header.from.clone(),
                ..end(task_id.to_string(), Source::File, Kind::Task, began)
            }];
        }
        let Some(chat_id) = &header.chat_id else { return Vec::new() };
        let prompt = Entry {
            updated_at: ended,
            sender: header.sender.clone(),
            sender_type: Some(SenderType::User),
            content: header.prompt.clone().unwrap_or_default(),
            ..self.blank(chat_id.to_string(), began, Source::Chat, Kind::Prompt, header.status)
        };
        let reply = Entry {
            sender: Some(self.bot.to_string()),
            sender_type: Some(SenderType::Bot),
            ..end(format!("{chat_id}-reply"), Source::Chat, Kind::Reply, ended)
        };
        vec![prompt, reply]
    }

    fn blank(
        &self,
        entry_id: String,
        timestamp: hive_shared::time::Stamp,
        source: Source,
        kind: Kind,
        status: Status,
    ) -> Entry {
        // Its seq stays 0: the numbers of changes are in the database alone.
        Entry::new(self.bot.clone(), entry_id, source, kind, status, timestamp)
    }

    /// The response of one item, under either of the names that it may have (SPEC 2).
    pub(super) fn find_answer(&self, id: &ItemId) -> Result<Option<Answer>, Failure> {
        for name in [Hive::response_name(id), Hive::response_name_beside_another(id, &self.bot)] {
            let answer =
                self.read_answer(&name).map_err(|unread| Failure::new(Exit::Failed, unread.to_string()))?;
            if let Some(answer) =
                answer.filter(|a| [&a.header.task_id, &a.header.chat_id].contains(&&Some(id.clone())))
            {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// All responses of this bot, the latest first.
    pub(super) fn answers(&self) -> Result<Listing<Answer>, Failure> {
        let dir = self.hive.responses();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
            Err(error) => return Err(Failure::io("read", &dir, &error)),
        };
        let mut answers = Listing::default();
        for entry in entries.flatten() {
            if let Some(name) = entry.file_name().to_str().filter(|name| name.ends_with("-response.md")) {
                answers.take(self.read_answer(name));
            }
        }
        answers.found.sort_by_key(|answer| std::cmp::Reverse(answer.header.timestamp));
        Ok(answers)
    }

    /// Reads a response document; `None` if it is not there, another bot's, or of an earlier system.
    fn read_answer(&self, name: &str) -> Result<Option<Answer>, Unread> {
        let path = self.hive.responses().join(name);
        // A byte more than is shown tells that there is more.
        let document = match head(&path, MAX_CONTENT + 1) {
            Ok(document) => document,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unread::new(path, &error)),
        };
        let (header, text) = match response::read(&document) {
            Ok(read) => read,
            Err(error) if is_ours(&document) => return Err(Unread::new(path, &chain(&error))),
            Err(_) => return Ok(None),
        };
        if header.bot_id != self.bot {
            return Ok(None);
        }
        let cut = text.floor_char_boundary(MAX_CONTENT.min(text.len()));
        let (content, truncated) = (text[..cut].to_owned(), cut < text.len());
        Ok(Some(Answer { header, content, truncated, file: name.to_owned() }))
    }
}

/// Whether a document that cannot be read begins as those of this system do.
fn is_ours(document: &str) -> bool {
    document.starts_with("---\nschema:")
}

/// The front matter, which may hold a long prompt, and so many bytes of the text. A directory cannot be read; what
/// else is no file is as good as not there: a named pipe would be waited for without end.
pub(super) fn head(path: &Path, of_text: usize) -> io::Result<String> {
    let kind = path.metadata()?.file_type();
    if !kind.is_file() {
        let why = if kind.is_dir() { io::ErrorKind::IsADirectory } else { io::ErrorKind::NotFound };
        return Err(why.into());
    }
    let mut reader = BufReader::new(std::fs::File::open(path)?);
    let mut document = Vec::new();
    reader.read_until(b'\n', &mut document)?;
    while reader.read_until(b'\n', &mut document)? > 0 && !document.ends_with(b"\n---\n") {}
    reader.take(of_text as u64).read_to_end(&mut document)?;
    Ok(String::from_utf8_lossy(&document).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::files;
    use super::*;

    fn publish(files: &Files, id: &str, name: &str, bot: &str, text: &str) {
        let header = serde_json::json!({"schema": 1, "task_id": id, "bot_id": bot, "source": "file", "title": "T",
            "priority": "P1", "timestamp": "2026-11-22T18:05:27Z", "status": "failed", "success": false,
            "duration_seconds": 1.5, "attempts": 1, "preemptions": 0, "error": "exit status 3"});
        let document = response::write(&serde_json::from_value(header).unwrap(), text);
        std::fs::write(files.hive.responses().join(name), document).unwrap();
    }

    #[test]
    fn a_response_tells_how_its_task_ended() {
        let (_dir, files) = files();
        publish(&files, "A-1", "A-1-response.md", "BOT-003", "theirs");
        publish(&files, "A-1", "A-1@BOT-002-response.md", "BOT-002", "ours");
        let id = ItemId::parse("A-1").unwrap();
        let detail = files.detail(&id).unwrap().unwrap();
        assert_eq!((detail.task.status, detail.response.as_deref()), (Status::Failed, Some("ours")));
        assert_eq!(detail.response_file.as_deref(), Some("A-1@BOT-002-response.md"));
        assert!(files.response(&id).unwrap().unwrap().ends_with("ours"));
        assert_eq!(files.detail(&ItemId::parse("A-2").unwrap()).unwrap(), None);
        assert_eq!(files.tasks(true).unwrap().found.len(), 1);
        assert!(files.tasks(false).unwrap().found.is_empty());
        let entries = files.entries().unwrap().found;
        assert_eq!((entries.len(), entries[0].content.as_str()), (1, "ours"));
    }

    #[test]
    fn what_is_no_file_is_no_response() {
        let (_dir, files) = files();
        let named = |name: &str| files.hive.responses().join(name);
        nix::unistd::mkfifo(&named("A-1-response.md"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(files.response(&ItemId::parse("A-1").unwrap()).unwrap(), None);
        let entries = files.entries().unwrap();
        assert!(entries.found.is_empty() && entries.unread.is_empty(), "{:?}", entries.unread);
    }

    #[test]
    fn a_response_that_cannot_be_read_keeps_back_no_other() {
        let (_dir, files) = files();
        publish(&files, "A-1", "A-1-response.md", "BOT-002", "ours");
        let named = |name: &str| files.hive.responses().join(name);
        std::fs::create_dir(named("A-2-response.md")).unwrap();
        // No right helps against a link that leads to itself.
        std::os::unix::fs::symlink("A-3-response.md", named("A-3-response.md")).unwrap();
        std::fs::write(named("A-4-response.md"), "---\nschema: 1\ntask_id: A-4\n").unwrap();
        std::fs::write(named("A-5-response.md"), "# Response to A-5\n\nof an earlier system\n").unwrap();
        std::fs::write(files.hive.tasks(&files.bot).join("A-3.md"), "It waits, for all we know.").unwrap();
        for unread in [files.tasks(true).unwrap().unread, files.entries().unwrap().unread] {
            let told = crate::files::left_out(unread);
            assert_eq!(told.len(), 3, "{told:?}");
            let whys = ["is a directory", "symbolic links", "no front matter"];
            for ((id, why), told) in ["A-2", "A-3", "A-4"].into_iter().zip(whys).zip(&told) {
                assert!(
                    told.contains(&format!("{id}-response.md is left out: ")) && told.contains(why),
                    "{told}"
                );
            }
        }
        let ids = |all| files.tasks(all).unwrap().found.into_iter().map(|task| task.task_id.to_string());
        assert_eq!(ids(true).collect::<Vec<_>>(), ["A-3", "A-1"]);
        assert_eq!(ids(false).collect::<Vec<_>>(), ["A-3"]);
        // Whoever names it is told.
        let failure = files.response(&ItemId::parse("A-2").unwrap()).unwrap_err();
        assert!(failure.message.contains("A-2-response.md"), "{failure}");
    }

    #[test]
    fn a_long_response_is_cut_where_it_is_shown_and_whole_where_it_is_printed() {
        let (_dir, files) = files();
        let text = "ä".repeat(MAX_CONTENT);
        publish(&files, "A-1", "A-1-response.md", "BOT-002", &text);
        let id = ItemId::parse("A-1").unwrap();
        let detail = files.detail(&id).unwrap().unwrap();
        assert!(detail.content_truncated && detail.response.unwrap().len() <= MAX_CONTENT);
        assert!(files.response(&id).unwrap().unwrap().ends_with(&text));
    }
}

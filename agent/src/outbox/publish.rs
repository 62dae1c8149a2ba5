//! How a response gets its name (SPEC 12, (d)).

use std::fs::File;
use std::io::{self, Write as _};

use hive_shared::ids::{BotId, ItemId};
use hive_shared::paths::Hive;
use hive_shared::response;

use crate::document::Document;
use crate::untrusted::fitting_name;
use crate::{atomic_file, failpoint, untrusted};

/// How many names are tried that are neither the usual one nor the one beside another bot's.
const MOST_NAMES: u32 = 99;

/// Where the content of a response is, should the power go before its file is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backing {
    /// In the ledger, durably: the next life publishes it again.
    Ledger,
    /// Nowhere: the file is synced before it gets its name.
    Nowhere,
}

/// Gives the response its name, which is returned: another than `name` where that is taken. Never replaces another's;
/// what is there of an earlier try of ours, torn or whole, is ours to replace.
pub(crate) fn publish(
    hive: &Hive,
    bot: &BotId,
    id: &ItemId,
    name: &str,
    document: &Document,
    backing: Backing,
) -> io::Result<String> {
    let directory = hive.responses();
    // It may have been tidied away.
    std::fs::create_dir_all(&directory)?;
    let [_, beside] = Hive::response_names(id, bot);
    let stem = beside.strip_suffix(".md").unwrap_or(&beside);
    let more = (2..=MOST_NAMES).map(|number| fitting_name(stem, &format!(".{number}.md")));
    for name in [name.to_owned(), beside.clone()].into_iter().chain(more) {
        let path = directory.join(&name);
        let mut file = atomic_file::unfinished_in(&directory, bot)?;
        document.parts().iter().try_for_each(|part| file.write_all(part.as_bytes()))?;
        set_readable(file.as_file())?;
        if backing == Backing::Nowhere {
            file.as_file().sync_all()?;
        }
        failpoint::pass("response written");
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(name),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                // What cannot be read, such as a link, is somebody's too.
                let Ok(there) = untrusted::read(&path, usize::MAX) else { continue };
                if document.is(&there) {
                    return Ok(name);
                }
                if is_another_end(&there, document, id, bot) {
                    tracing::error!(
                        name,
                        "the item has a response already, of another end: it stays as it is"
                    );
                    return Ok(name);
                }
                if !is_of_another(&there, bot) {
                    refused.file.persist(&path).map_err(|e| e.error)?;
                    return Ok(name);
                }
            }
            Err(refused) => return Err(refused.error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{beside} is there already, and is not ours")))
}

/// Whether a document in the way is this bot's own response to the item, and tells of another end than ours: a ledger
/// from an earlier day has let it run again. One that was torn while it was written tells of the same end.
fn is_another_end(there: &[u8], ours: &Document, id: &ItemId, bot: &BotId) -> bool {
    let read = |text| response::read(text).ok().map(|(header, _)| header);
    let there = std::str::from_utf8(there).ok().and_then(read);
    // Its header is in the first part that there is.
    let ours = ours.parts().into_iter().find(|part| !part.is_empty()).and_then(read);
    match (there, ours) {
        (Some(there), Some(ours)) => {
            let is_the_items = there.task_id.as_ref().or(there.chat_id.as_ref()) == Some(id);
            there.bot_id == *bot && is_the_items && there.timestamp != ours.timestamp
        }
        _ => false,
    }
}

/// Whether a document in the way is a response that is whole and not this bot's.
fn is_of_another(document: &[u8], bot: &BotId) -> bool {
    match std::str::from_utf8(document)
        .ok()
        .and_then(|text| response::read(text).ok().map(|(header, _)| header.bot_id))
    {
        Some(owner) => &owner != bot,
        // No response of ours looks like this, unless the power went while it was written.
        None => document.iter().any(|byte| *byte != 0) && !document.starts_with(b"---\nschema: 1\n"),
    }
}

/// Responses and reasons are for everyone who may read their directory, as other new files are.
pub(super) fn set_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_under_both_names_does_not_keep_a_response_from_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot) = (Hive::at(dir.path().to_owned()), BotId::parse("BOT-1").unwrap());
        let id = ItemId::parse("T-1").unwrap();
        let [usual, beside] = Hive::response_names(&id, &bot);
        hive.create(Some(&bot)).unwrap();
        for taken in [&usual, &beside] {
            std::fs::create_dir(hive.responses().join(taken)).unwrap();
        }
        let document: Document = "the answer".to_owned().into();
        // Also when it is done again.
        for _ in 0..2 {
            let name = publish(&hive, &bot, &id, &usual, &document, Backing::Ledger).unwrap();
            assert_eq!(name, beside.replace(".md", ".2.md"));
            assert_eq!(std::fs::read_to_string(hive.responses().join(name)).unwrap(), "the answer");
        }
    }

    #[test]
    fn only_a_whole_response_of_another_bot_keeps_its_name() {
        let bot = BotId::parse("BOT-1").unwrap();
        let theirs =
            b"---\nschema: 1\ntask_id: T\nbot_id: BOT-2\nsource: file\ntimestamp: \"2026-01-01T00:00:00Z\"\n\
            status: completed\nsuccess: true\nduration_seconds: 1\nattempts: 1\npreemptions: 0\n---\nhi";
        let ours = String::from_utf8_lossy(theirs).replace("BOT-2", "BOT-1");
        assert!(is_of_another(theirs, &bot));
        assert!(!is_of_another(ours.as_bytes(), &bot));
        // Torn by a power cut.
        assert!(!is_of_another(&ours.as_bytes()[..60], &bot));
        assert!(!is_of_another(&[0; 200], &bot));
        // Somebody's notes.
        assert!(is_of_another(b"# Response\n", &bot));
    }
}

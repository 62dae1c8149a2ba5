//! An end that is not durable yet is not shown (SPEC 12, (f)): where the disk does not take it, all is as before it.

use hive_shared::api::Entry;
use hive_shared::work::{Kind, Status};

use crate::store::{Item, Snapshot};

/// An item as it was before its end.
pub(super) fn item(item: Item) -> Item {
    if !item.status.is_final() {
        return item;
    }
    Item {
        status: before_the_end(item.attempts > 0),
        ended_at: None,
        error: None,
        error_code: None,
        files_modified: Vec::new(),
        usage: None,
        response_file: None,
        ..item
    }
}

/// An entry as it was before its item's end. What the item had said by then it has said.
fn entry(entry: Entry) -> Entry {
    let has_run = match entry.kind {
        // It has no end that waits for the disk.
        Kind::Control => return entry,
        Kind::Reply => true,
        Kind::Task | Kind::Prompt => entry.duration_seconds.is_some_and(|used| used > 0.0),
    };
    if !entry.status.is_final() {
        return entry;
    }
    Entry {
        status: before_the_end(has_run),
        success: None,
        error: None,
        error_code: None,
        duration_seconds: None,
        files_modified: Vec::new(),
        usage: None,
        response_file: None,
        ..entry
    }
}

fn before_the_end(has_run: bool) -> Status {
    if has_run { Status::Running } else { Status::Queued }
}

/// A page of the timeline as it was when the last change was `visible`, of which those are asked that come `after_seq`
/// or have a `status`. Control acts, which tell what the matter is, are shown as they are.
pub(super) fn page(
    snapshot: Snapshot,
    visible: u64,
    after_seq: Option<u64>,
    status: Option<Status>,
) -> Snapshot {
    let Snapshot { mut page, last_seq, total_entries } = snapshot;
    if visible >= last_seq {
        return Snapshot { page, last_seq, total_entries };
    }
    if after_seq.is_some() {
        // Who goes on from here is told of the rest then.
        let shown = page.entries.partition_point(|entry| entry.seq <= visible);
        page.has_more &= shown == page.entries.len();
        page.entries.truncate(shown);
    }
    page.entries = page
        .entries
        .into_iter()
        .map(|it| if it.seq > visible { Entry { seq: visible, ..entry(it) } } else { it })
        .filter(|entry| status.is_none_or(|status| entry.status == status))
        .collect();
    Snapshot { page, last_seq: visible, total_entries }
}

#[cfg(test)]
mod tests {
    use hive_shared::ids::BotId;
    use hive_shared::time::Stamp;
    use hive_shared::work::Source;

    use super::*;
    use crate::store::{Detail, Page};

    fn task(seq: u64, status: Status) -> Entry {
        let bot = BotId::parse("BOT-1").unwrap();
        Entry {
            seq,
            content: "said".to_owned(),
            success: Some(true),
            duration_seconds: Some(1.5),
            response_file: Some("T-response.md".to_owned()),
            ..Entry::new(bot, format!("T-{seq}"), Source::File, Kind::Task, status, Stamp::from_micros(1))
        }
    }

    fn snapshot() -> Snapshot {
        let control = Entry { kind: Kind::Control, source: Source::Control, ..task(8, Status::Completed) };
        let entries = vec![task(5, Status::Completed), task(7, Status::Completed), control];
        let page = Page { entries, has_more: true, before: None };
        Snapshot { page, last_seq: 9, total_entries: 3 }
    }

    fn shown(snapshot: &Snapshot) -> Vec<(u64, Status)> {
        snapshot.page.entries.iter().map(|entry| (entry.seq, entry.status)).collect()
    }

    #[test]
    fn what_is_durable_is_shown_as_it_is() {
        assert_eq!(page(snapshot(), 9, None, None), snapshot());
        assert_eq!(page(snapshot(), 9, Some(1), None), snapshot());
    }

    #[test]
    fn an_end_that_is_not_durable_is_none() {
        let page = page(snapshot(), 6, None, None);
        let (completed, running) = (Status::Completed, Status::Running);
        assert_eq!((shown(&page), page.last_seq), (vec![(5, completed), (6, running), (6, completed)], 6));
        let hidden = &page.page.entries[1];
        assert_eq!((hidden.success, &hidden.response_file, &*hidden.content), (None, &None, "said"));
        let waiting = Entry { duration_seconds: Some(0.0), ..task(7, Status::Cancelled) };
        assert_eq!(entry(waiting).status, Status::Queued);
    }

    #[test]
    fn it_does_not_fit_where_ends_are_asked_for() {
        let fit = page(snapshot(), 6, None, Some(Status::Completed));
        assert_eq!(shown(&fit), [(5, Status::Completed), (6, Status::Completed)]);
    }

    #[test]
    fn who_asks_what_changed_is_told_it_later() {
        let page = page(snapshot(), 6, Some(4), None);
        assert_eq!(
            (shown(&page), page.page.has_more, page.last_seq),
            (vec![(5, Status::Completed)], false, 6)
        );
    }

    #[test]
    fn an_item_is_as_before_its_end() {
        let id = "T-1".parse().unwrap();
        let new = Item::new(id, Source::File, "T".into(), "d".into(), Detail::default());
        let ended = Item {
            status: Status::Failed,
            ended_at: Some(Stamp::now()),
            error: Some("no".into()),
            error_code: Some("adapter_error".into()),
            response_file: Some("T-1-response.md".into()),
            ..new.clone()
        };
        assert_eq!(item(ended.clone()), new);
        assert_eq!(item(Item { attempts: 2, ..ended }).status, Status::Running);
        assert_eq!(item(new.clone()), new);
    }
}

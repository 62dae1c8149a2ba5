//! Items as they may be shown: what has ended, only once that is sure to last (SPEC 12, (f)).

use hive_shared::api::{TaskDetail, code};
use hive_shared::ids::ItemId;
use hive_shared::work::{Source, Status};

use super::problem::Problem;
use super::{Service, unshown, views};
use crate::request::{Listing, Place, Request};
use crate::store::{Item, Reader, StoreError};

/// An item as the ledger has it.
pub(super) struct Found {
    item: Item,
    /// The change that ended it, if it has ended and that may not be durable yet; else 0, which all may see.
    end: u64,
}

impl Found {
    pub(super) fn new(reader: &Reader, item: Item) -> Result<Self, StoreError> {
        if !item.status.is_final() || item.settled {
            return Ok(Self { item, end: 0 });
        }
        // A prompt that never ran has no reply.
        for entry_id in [entry_of(&item), item.id.to_string()] {
            if let Some(entry) = reader.entry(&entry_id)? {
                return Ok(Self { item, end: entry.seq });
            }
        }
        Ok(Self { item, end: 0 })
    }
}

impl Service {
    /// Items, those whose end the disk does not take as they were before it.
    pub(super) async fn as_shown(&self, found: Vec<Found>) -> Vec<Item> {
        let visible = self.visible_at(found.iter().map(|found| found.end).max().unwrap_or(0)).await;
        let shown = |Found { item, end }| if end > visible { unshown::item(item) } else { item };
        found.into_iter().map(shown).collect()
    }

    /// One item.
    pub(super) async fn item(&self, id: &ItemId) -> Result<Item, Problem> {
        Ok(self.item_with(id, |_, _| Ok(())).await?.0)
    }

    /// One item, and what more the ledger has of it.
    async fn item_with<T: Send + 'static>(
        &self,
        id: &ItemId,
        more: impl Fn(&Reader, &Item) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Result<(Item, T), Problem> {
        let asked = id.clone();
        let read = self.read(move |reader| {
            let Some(item) = reader.item(&asked)? else { return Ok(None) };
            let more = more(reader, &item)?;
            Ok(Some((Found::new(reader, item)?, more)))
        });
        let Some((found, more)) = read.await? else {
            return Err(Problem::not_found(format!("there is no task or prompt '{id}'")));
        };
        let Found { item, end } = found;
        let is_shown = self.visible_at(end).await >= end;
        Ok((if is_shown { item } else { unshown::item(item) }, more))
    }

    /// Tasks that have not ended, in the order in which they will run.
    pub(super) async fn live_tasks(&self, after: Option<Item>, limit: usize) -> Result<Listing, Problem> {
        let id = after.as_ref().map(|item| item.id.clone());
        let listing = self.inquire(|answer| Request::Queue { after: id, limit, answer }).await;
        if let Some(listing) = self.if_heard(listing)? {
            return Ok(listing);
        }
        let (items, total) = self.read(move |reader| reader.live_tasks(after.as_ref(), limit)).await?;
        let place = |item: Item| Place { id: item.id, status: item.status, position: None };
        Ok(Listing { places: items.into_iter().map(place).collect(), total })
    }

    /// One item with all that is known of it.
    pub(super) async fn detail(&self, id: &ItemId) -> Result<TaskDetail, Problem> {
        let place = self.place(id).await;
        self.detail_at(id, self.if_heard(place)?.flatten()).await
    }

    /// The same once the bot has done what it was asked for. That it goes meanwhile must not sound like a refusal, after
    /// which a client would ask elsewhere: then the ledger alone tells how the item stands.
    pub(super) async fn detail_of_accepted(&self, id: &ItemId) -> Result<TaskDetail, Problem> {
        let place = self.place(id).await.ok().flatten();
        self.detail_at(id, place).await.map_err(|problem| {
            let why = problem.message();
            Problem::new(
                code::UNAVAILABLE,
                format!("it is done, but how '{id}' stands cannot be told: {why}"),
            )
        })
    }

    /// What the driver knows; nothing while it waits for the disk, when the ledger alone tells.
    fn if_heard<T>(&self, answer: Result<T, Problem>) -> Result<Option<T>, Problem> {
        match answer {
            Err(_) if self.hub.disk().ledger().is_some() => Ok(None),
            answer => answer.map(Some),
        }
    }

    async fn place(&self, id: &ItemId) -> Result<Option<Place>, Problem> {
        self.inquire(|answer| Request::Place(id.clone(), answer)).await
    }

    async fn detail_at(&self, id: &ItemId, place: Option<Place>) -> Result<TaskDetail, Problem> {
        let (item, mut entry) = self.item_with(id, |reader, item| reader.entry(&entry_of(item))).await?;
        let place = place.filter(|_| !item.status.is_final());
        if let Some(entry) = entry.as_mut().filter(|_| item.status == Status::Running) {
            self.show_what_was_said(entry, true);
        }
        Ok(views::detail(self, &item, place.as_ref(), entry))
    }
}

/// The entry whose content is an item's response.
fn entry_of(item: &Item) -> String {
    match item.source {
        Source::Chat => format!("{}-reply", item.id),
        Source::File | Source::Control => item.id.to_string(),
    }
}

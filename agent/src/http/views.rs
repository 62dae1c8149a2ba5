//! Rows of the ledger as the API shows them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hive_shared::api::{Approval, BotState, BotStatus, Counts, Entry, QueueCounts, TaskDetail, TaskView};
use hive_shared::time::Stamp;
use hive_shared::work::{Scope, Status};

use super::{Problem, Service};
use crate::health::{Signs, assess};
use crate::hub::Snapshot;
use crate::request::Place;
use crate::store::Item;
use crate::turn::{Steps, Told};

/// The cause of a pause that [`crate::coordinator::PauseCause::Disk`] is.
const DISK: &str = "disk";

impl Service {
    /// The status as it is now, from the snapshot that the driver left.
    pub(super) fn status_now(&self) -> Result<BotStatus, Problem> {
        let Some(snapshot) = self.hub.status() else { return self.status_at_start() };
        let Snapshot { at, status, recent_failures, clock_stands, troubles, .. } = &*snapshot;
        let mut status = status.clone();
        if let Some(current) = &mut status.current
            && !clock_stands
        {
            current.elapsed_seconds += at.elapsed().as_secs_f64();
        }
        if self.hub.disk().ledger().is_some() {
            // The driver itself waits for the disk and cannot say so.
            status.paused = true;
            if !status.paused_by.iter().any(|cause| cause == DISK) {
                status.paused_by.push(DISK.to_owned());
            }
        }
        status.chat_clients = self.hub.tally().chat_clients.load(Ordering::Relaxed);
        status.health = assess(Signs {
            waiting: status.queue.total(),
            recent_failures: *recent_failures,
            quiet_for: Stamp::now().since(status.last_activity),
            disk_trouble: status.paused_by.iter().any(|cause| cause == DISK),
            troubles,
        });
        Ok(status)
    }

    /// The status of a bot that has not begun: there is one only if the disk keeps it from that.
    fn status_at_start(&self) -> Result<BotStatus, Problem> {
        if self.hub.disk().ledger().is_none() {
            return Err(Problem::new(hive_shared::api::code::UNAVAILABLE, "the bot is starting"));
        }
        let last_activity = Stamp::now();
        Ok(BotStatus {
            bot_id: self.bot.clone(),
            state: BotState::Paused,
            paused: true,
            paused_by: vec![DISK.to_owned()],
            pause_scope: Some(Scope::All),
            pause_reason: None,
            mode: self.mode,
            adapter: self.adapter.to_owned(),
            current: None,
            suspended: None,
            queue: QueueCounts::default(),
            chat_clients: 0,
            approvals: 0,
            last_activity,
            counts: Counts::default(),
            health: assess(Signs {
                waiting: 0,
                recent_failures: (0, 0),
                quiet_for: Duration::ZERO,
                disk_trouble: true,
                troubles: &[],
            }),
        })
    }

    /// What waits for a person's permission, the oldest first.
    pub(super) fn approvals(&self) -> Vec<Approval> {
        self.hub.status().map(|snapshot| snapshot.approvals.clone()).unwrap_or_default()
    }
}

/// A task in the queue, or one that has ended.
pub(super) fn view(item: &Item, place: Option<&Place>) -> TaskView {
    TaskView {
        task_id: item.id.clone(),
        title: item.title.clone(),
        priority: item.priority,
        status: place.map_or(item.status, |place| {
            if item.status == Status::Blocked { item.status } else { place.status }
        }),
        position: place.and_then(|place| place.position),
        from: item.detail.from.clone(),
        to: item.detail.to.clone(),
        created: item.detail.created.unwrap_or(item.seen_at),
        limit_seconds: item.detail.limit.as_secs_f64(),
        interruptible: item.detail.interruptible,
        depends_on: item.detail.depends_on.clone(),
        blocked_reason: item.detail.blocked_reason.clone(),
        file: item.archived.clone().or_else(|| item.file.clone()).unwrap_or_default(),
        attempts: item.attempts,
        preemptions: item.preemptions,
        fields: item.detail.fields.clone(),
        warnings: item.detail.warnings.clone(),
        retry_of: item.detail.retry_of.clone(),
    }
}

/// One item with all that is known of it. `entry` is the one whose content is its response.
pub(super) fn detail(
    service: &Service,
    item: &Item,
    place: Option<&Place>,
    entry: Option<Entry>,
) -> TaskDetail {
    let ended = item.ended_at.is_some();
    let told = entry.map(|entry| Told {
        content: entry.content,
        content_truncated: entry.content_truncated,
        steps: Steps { list: entry.steps, truncated: entry.steps_truncated },
    });
    let response = told.as_ref().filter(|_| ended).map(|told| told.content.clone());
    let told = told.unwrap_or_default();
    TaskDetail {
        bot_id: service.bot.clone(),
        task: view(item, place),
        source: item.source,
        started_at: item.started_at,
        completed_at: item.ended_at,
        duration_seconds: ended.then_some(item.used.as_secs_f64()),
        success: ended.then_some(item.status == Status::Completed),
        error: item.error.clone(),
        error_code: item.error_code.clone(),
        files_modified: item.files_modified.clone(),
        response_file: item.response_file.clone(),
        response,
        content_truncated: told.content_truncated,
        steps: told.steps.list,
        steps_truncated: told.steps.truncated,
    }
}

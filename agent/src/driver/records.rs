//! What the driver writes down and publishes: timeline entries, control acts, the status.

use hive_shared::api::{BotState, BotStatus, Current, Entry, Health, HealthLevel, QueueCounts, Suspended};
use hive_shared::ids::ItemId;
use hive_shared::settings::{BotSettings, OnDisconnect};
use hive_shared::task::Reading;
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, SenderType, Source, Status};
use tokio::time::Instant;

use super::{Driver, LiveRun};
use crate::coordinator::{Occupant, PauseCause, Rules};
use crate::hub::Snapshot;
use crate::store::{Item, StoreError};
use crate::turn::Told;

/// The settings that the rules depend on.
pub(super) fn rules(settings: &BotSettings) -> Rules {
    Rules {
        preempt_grace: settings.preempt_grace,
        max_preemptions: settings.max_preemptions,
        chat_linger: settings.chat_linger,
        task_cooldown: settings.task_cooldown,
        disconnect_grace: settings.disconnect_grace,
        finish_on_disconnect: settings.on_disconnect == OnDisconnect::Finish,
        dependency_timeout: settings.dependency_timeout,
        max_attempts: settings.max_attempts,
    }
}

impl Driver {
    /// An item's entry as the item is now, with what was said and done.
    pub(super) fn task_entry(&self, item: &Item, told: Told) -> Entry {
        Entry {
            task_id: Some(item.id.clone()),
            title: Some(item.title.clone()),
            priority: Some(item.priority),
            sender: Some(item.detail.from.clone()).filter(|from| !from.is_empty()),
            sender_type: Some(SenderType::User),
            content: told.content,
            content_truncated: told.content_truncated,
            steps: told.steps.list,
            steps_truncated: told.steps.truncated,
            preemptions: Some(item.preemptions),
            warnings: item.detail.warnings.clone(),
            ..self.entry_of(item, item.id.to_string(), Kind::Task)
        }
    }

    pub(super) fn prompt_entry(&self, item: &Item, message: &str) -> Entry {
        Entry {
            sender: item.detail.sender.clone(),
            sender_type: Some(SenderType::User),
            content: message.to_owned(),
            ..self.entry_of(item, item.id.to_string(), Kind::Prompt)
        }
    }

    pub(super) fn reply_entry(&self, item: &Item, told: Told) -> Entry {
        Entry {
            sender: Some(self.identity.bot.to_string()),
            sender_type: Some(SenderType::Bot),
            content: told.content,
            content_truncated: told.content_truncated,
            steps: told.steps.list,
            steps_truncated: told.steps.truncated,
            ..self.entry_of(item, format!("{}-reply", item.id), Kind::Reply)
        }
    }

    /// What all entries of an item have; seq and times are the store's to set.
    fn entry_of(&self, item: &Item, entry_id: String, kind: Kind) -> Entry {
        let ended = item.ended_at.is_some();
        let bot = self.identity.bot.clone();
        Entry {
            success: ended.then_some(item.status == Status::Completed),
            error: item.error.clone(),
            error_code: item.error_code.clone(),
            duration_seconds: ended.then_some(item.used.as_secs_f64()),
            files_modified: item.files_modified.clone(),
            usage: item.usage.clone(),
            response_file: item.response_file.clone(),
            ..Entry::new(bot, entry_id, item.source, kind, item.status, item.seen_at)
        }
    }

    /// Puts a control act on the timeline.
    pub(super) fn control_entry(
        &mut self,
        act: &str,
        content: &str,
        task: Option<&ItemId>,
    ) -> Result<(), StoreError> {
        let entry_id = self.control_id();
        let bot = self.identity.bot.clone();
        let entry = Entry {
            title: Some(act.to_owned()),
            content: content.to_owned(),
            task_id: task.cloned(),
            ..Entry::new(bot, entry_id, Source::Control, Kind::Control, Status::Completed, Stamp::now())
        };
        self.store.put_entry(entry, true)
    }

    /// The id of the next control act. Its number is that of the change which brings it, so no two have one.
    pub(super) fn control_id(&self) -> String {
        format!("CTL-{}", self.store.seq() + 1)
    }

    pub(super) fn reading<'a>(&'a self, file_name: &'a str, modified: Stamp) -> Reading<'a> {
        let identity = &self.identity;
        Reading { file_name, modified, bot: &identity.bot, bots: &identity.bots, zone: &identity.zone }
    }

    pub(super) fn max_output(&self) -> usize {
        usize::try_from(self.settings.max_output).unwrap_or(usize::MAX)
    }

    /// Shows the present status to those who look.
    pub(super) fn publish_status(&mut self) {
        let occupant = self.core.occupant(self.now());
        let ready = self.core.ready_by_priority();
        let waiting = self.core.waiting_tasks();
        let queue = QueueCounts {
            p0: ready[0],
            p1: ready[1],
            p2: ready[2],
            p3: ready[3],
            chat: self.core.waiting_chats(),
            blocked: waiting - ready.iter().sum::<usize>(),
        };
        let pauses = self.core.pauses();
        let state = if self.core.is_stopping() {
            BotState::Stopping
        } else if occupant.is_some() {
            BotState::Working
        } else if !pauses.is_empty() {
            BotState::Paused
        } else if self.core.has_work() {
            BotState::Working
        } else {
            BotState::Idle
        };
        let user = self.user_pause.as_ref().filter(|_| pauses.contains_key(&PauseCause::User));
        let status = BotStatus {
            bot_id: self.identity.bot.clone(),
            state,
            paused: !pauses.is_empty(),
            paused_by: pauses.keys().map(|cause| cause.as_str().to_owned()).collect(),
            pause_scope: pauses.values().min().copied(),
            pause_reason: user.and_then(|pause| pause.reason.clone()),
            mode: self.settings.mode,
            adapter: self.adapter.name().to_owned(),
            current: occupant.map(|occupant| self.current(&occupant)),
            suspended: self.core.suspended().map(|occupant| Suspended {
                title: self.title_of(&occupant.item),
                id: occupant.item,
                elapsed_seconds: occupant.used.as_secs_f64(),
                limit_seconds: occupant.limit.as_secs_f64(),
                preemptions: occupant.preemptions,
            }),
            queue,
            chat_clients: 0,
            approvals: self.desk.open().len(),
            last_activity: self.last_activity,
            counts: self.counts,
            health: Health { status: HealthLevel::Healthy, reasons: Vec::new() },
        };
        let failures = self.recent_endings.iter().filter(|status| is_failure(**status)).count();
        let recent = (failures, self.recent_endings.len());
        let approvals = self.desk.open().cloned().collect();
        let clock_stands = self.desk.open().len() > 0 || self.is_held_up();
        let troubles = self.directory_trouble.clone().into_iter().chain(self.held_ups()).collect();
        self.hub.set_status(Snapshot {
            at: Instant::now(),
            status,
            approvals,
            recent_failures: recent,
            clock_stands,
            troubles,
        });
    }

    fn current(&self, occupant: &Occupant) -> Current {
        let live = self.live(&occupant.item);
        Current {
            id: occupant.item.clone(),
            title: self.title_of(&occupant.item),
            source: occupant.source,
            started_at: live.map_or(self.last_activity, |live| live.started_at),
            elapsed_seconds: occupant.used.as_secs_f64(),
            limit_seconds: occupant.limit.as_secs_f64(),
        }
    }

    /// The title of an item: from the ledger, if its run did not survive being made to yield.
    fn title_of(&self, id: &ItemId) -> String {
        match self.live(id) {
            Some(live) => live.title.clone(),
            None => self.store.item(id).ok().flatten().map(|item| item.title).unwrap_or_default(),
        }
    }

    /// The run of an item.
    fn live(&self, id: &ItemId) -> Option<&LiveRun> {
        self.runs.values().find(|live| live.turn.id() == id)
    }
}

fn is_failure(status: Status) -> bool {
    match status {
        Status::Failed | Status::TimedOut => true,
        Status::Queued
        | Status::Blocked
        | Status::Running
        | Status::Suspended
        | Status::Completed
        | Status::Cancelled
        | Status::Incomplete => false,
    }
}

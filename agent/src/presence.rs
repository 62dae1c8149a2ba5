//! What tells others that the bot is here: its record, its token, its ledger. An agent that tidies up may take any of them
//! away (`git clean -X` does), so they are looked after for as long as the bot lives.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use hive_shared::api::BotRecord;
use hive_shared::client::read_record;
use hive_shared::paths::Hive;
use tokio::time::{MissedTickBehavior, interval};

use crate::atomic_file;
use crate::driver::Message;
use crate::file_id::FileId;
use crate::home::Home;
use crate::http::Service;
use crate::store::{StoreError, files_of};

/// How often it is looked whether all is in its place.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The record of a bot that runs.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    hive: Hive,
    home: Home,
    record: BotRecord,
}

impl Presence {
    /// The presence of a bot that nobody is told of yet.
    pub(crate) fn new(hive: Hive, record: BotRecord) -> Self {
        Self { home: Home::of(&hive), hive, record }
    }

    /// The record.
    pub(crate) fn record(&self) -> &BotRecord {
        &self.record
    }

    /// Tells who runs.
    pub(crate) fn announce(&self) -> io::Result<()> {
        let bot = &self.record.bot_id;
        atomic_file::write(&self.hive.bot_record(bot), &serde_json::to_vec_pretty(&self.record)?, bot)
    }

    /// Whether the record that is there is this one.
    fn is_told(&self) -> bool {
        let told = read_record(&self.hive, &self.record.bot_id);
        told.is_ok_and(|told| told.is_some_and(|told| told == self.record))
    }

    /// Takes the record away: it says who runs, and nobody does. Another's stays.
    pub(crate) fn withdraw(&self) {
        if self.is_told() {
            let _ = std::fs::remove_file(self.hive.bot_record(&self.record.bot_id));
        }
    }

    /// Looks after all of it, until it is dropped.
    pub(crate) async fn keep(self, service: Arc<Service>, driver: Sender<Message>) {
        let mut files = files_of(&service.database);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if !self.home.is_there() {
                // What is moved away is not to be made anew.
                continue;
            }
            self.look_after(&service.database, &mut files, &driver);
            service.door.look_after_token(&self.record.bot_id);
        }
    }

    /// `files` are those of the database when it was last looked at.
    fn look_after(&self, database: &Path, files: &mut [Option<FileId>; 2], driver: &Sender<Message>) {
        if !self.is_told() {
            let put_back = self.hive.create(Some(&self.record.bot_id)).and_then(|()| self.announce());
            match put_back {
                Ok(()) => tracing::warn!("the record of who runs was gone: it is put back"),
                Err(error) => tracing::warn!(%error, "the record of who runs is gone and cannot be put back"),
            }
        }
        let last = std::mem::replace(files, files_of(database));
        if last != *files || database.try_exists().is_ok_and(|is_there| !is_there) {
            // It puts back what was taken away, and sets another's aside; its own new ones are all right. The driver is
            // gone only when the bot is on its way out anyway.
            let _ = driver.send(Message::Damaged(StoreError::Gone));
        }
    }
}

#[cfg(test)]
mod tests {
    use hive_shared::ids::BotId;
    use hive_shared::time::Stamp;
    use hive_shared::work::Mode;

    use super::*;

    #[test]
    fn what_is_taken_away_is_put_back_and_anothers_record_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (hive, bot_id) = (Hive::at(dir.path().to_owned()), BotId::parse("BOT-1").unwrap());
        hive.create(Some(&bot_id)).unwrap();
        let record = |pid| BotRecord {
            bot_id: bot_id.clone(),
            url: "http://127.0.0.1:1".into(),
            certificate: None,
            host: "here".into(),
            pid,
            mode: Mode::Hybrid,
            adapter: "echo".into(),
            started_at: Stamp::from_micros(1),
            version: "1".into(),
            protocol: 1,
        };
        let (driver, told) = std::sync::mpsc::channel();
        let database = hive.database(&bot_id);
        std::fs::write(&database, "").unwrap();
        let presence = Presence::new(hive.clone(), record(7));
        presence.announce().unwrap();
        let mut files = files_of(&database);
        presence.look_after(&database, &mut files, &driver);
        assert!(told.try_recv().is_err(), "all is in its place");
        std::fs::rename(&database, hive.state().join("aside")).unwrap();
        std::fs::write(&database, "another").unwrap();
        presence.look_after(&database, &mut files, &driver);
        assert!(matches!(told.try_recv(), Ok(Message::Damaged(StoreError::Gone))), "another is in its place");
        presence.look_after(&database, &mut files, &driver);
        assert!(told.try_recv().is_err(), "it was told");
        std::fs::remove_dir_all(hive.bots()).unwrap();
        std::fs::remove_dir_all(hive.state()).unwrap();
        presence.look_after(&database, &mut files, &driver);
        assert!(presence.is_told() && matches!(told.try_recv(), Ok(Message::Damaged(StoreError::Gone))));
        // Nobody writes into that pipe.
        std::fs::remove_file(hive.bot_record(&bot_id)).unwrap();
        nix::unistd::mkfifo(&hive.bot_record(&bot_id), nix::sys::stat::Mode::S_IRWXU).unwrap();
        presence.look_after(&database, &mut files, &driver);
        assert!(presence.is_told());
        let other = Presence::new(hive.clone(), record(8));
        other.announce().unwrap();
        presence.withdraw();
        assert!(other.is_told());
        other.withdraw();
        assert!(!hive.bot_record(&bot_id).exists());
    }
}

//! What the disk does not take, while it does not.

use tokio::sync::watch;

/// Whether the disk takes what the bot writes. Clones tell of the same disk.
#[derive(Debug, Clone, Default)]
pub struct DiskState(watch::Sender<Trouble>);

#[derive(Debug, Default)]
struct Trouble {
    /// Why the ledger cannot be written.
    ledger: Option<String>,
    /// Whether responses cannot be published, or task files archived.
    results: bool,
}

impl Trouble {
    fn is_any(&self) -> bool {
        self.ledger.is_some() || self.results
    }
}

impl DiskState {
    /// Why the ledger cannot be written; nothing once it can.
    pub fn set_ledger(&self, trouble: Option<String>) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.ledger, trouble) != state.ledger);
    }

    /// Whether results cannot be written.
    pub fn set_results(&self, trouble: bool) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.results, trouble) != trouble);
    }

    /// Why the ledger cannot be written, while it cannot: the driver waits for the disk then, and for nobody else.
    pub fn ledger(&self) -> Option<String> {
        self.0.borrow().ledger.clone()
    }

    /// Waits until the ledger cannot be written, and returns why.
    pub async fn until_ledger_in_trouble(&self) -> String {
        let mut states = self.0.subscribe();
        loop {
            if let Some(why) = &states.borrow_and_update().ledger {
                return why.clone();
            }
            // This one is a sender too.
            let _ = states.changed().await;
        }
    }

    /// Whether there is anything that the disk does not take.
    pub fn is_in_trouble(&self) -> bool {
        self.0.borrow().is_any()
    }

    /// Waits until there is something that the disk does not take.
    pub async fn until_in_trouble(&self) {
        // This one is a sender too.
        let _ = self.0.subscribe().wait_for(Trouble::is_any).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_trouble_is_told_of_each_kind() {
        let disk = DiskState::default();
        let (all, ledger) = (disk.clone(), disk.clone());
        let all = tokio::spawn(async move { all.until_in_trouble().await });
        let ledger = tokio::spawn(async move { ledger.until_ledger_in_trouble().await });
        disk.set_results(true);
        all.await.unwrap();
        assert!(disk.is_in_trouble());
        assert_eq!(disk.ledger(), None);
        disk.set_results(false);
        assert!(!disk.is_in_trouble());
        disk.set_ledger(Some("no space".to_owned()));
        assert_eq!(ledger.await.unwrap(), "no space");
        assert_eq!(disk.ledger().as_deref(), Some("no space"));
        disk.set_ledger(None);
        assert_eq!(disk.ledger(), None);
    }
}

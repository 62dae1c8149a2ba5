//! What was said before in the session that a prompt belongs to, for agents that do not keep it themselves.
//!
//! The timeline is the one record of it: prompts and replies are there from the moment they are final, and survive
//! whatever befalls the daemon. Nothing more is kept.

use hive_shared::work::Status;

use super::Driver;
use crate::adapter::Exchange;
use crate::store::StoreError;

/// The most exchanges that are looked at: each costs the driver's thread a moment.
const MAX_EXCHANGES: usize = 500;

impl Driver {
    /// The last exchanges of a chat session, the oldest first, from the newest back until they have `bytes`.
    ///
    /// A turn that was cut short counts with what the person saw of its answer; one that said nothing does not.
    pub(super) fn earlier_in(&self, session: &str, bytes: usize) -> Result<Vec<Exchange>, StoreError> {
        let turns = self.store.turns_of(session, MAX_EXCHANGES)?;
        if turns.len() == MAX_EXCHANGES {
            tracing::info!(session, MAX_EXCHANGES, "older exchanges of this session are not looked at");
        }
        let mut exchanges = Vec::new();
        let mut size = 0;
        for id in turns {
            if size >= bytes {
                break;
            }
            let prompt = self.store.entry(id.as_str())?.map(|entry| entry.content);
            let reply = self.store.entry(&format!("{id}-reply"))?;
            if let (Some(prompt), Some(reply)) = (prompt, reply)
                && !reply.content.trim().is_empty()
            {
                size += prompt.len() + reply.content.len();
                let is_cut = reply.content_truncated || reply.status != Status::Completed;
                exchanges.push(Exchange { prompt, answer: reply.content, is_cut });
            }
        }
        exchanges.reverse();
        Ok(exchanges)
    }
}

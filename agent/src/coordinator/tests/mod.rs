//! The proof of SPEC section 5.
//!
//! Every rule has a short test that reads as the rule (`slot`, `people`, `time`, `waiting`), told to a [`bench`].
//! Random worlds (`properties`) then look for what nobody thought of: a `world` performs the actions as adapters
//! would, and a `model`, written as plainly as can be, says what the rules allow.

mod bench;
mod model;
mod people;
mod properties;
mod slot;
mod time;
mod waiting;
mod world;

use std::time::Duration;

use hive_shared::ids::ItemId;

use super::Rules;

fn id(text: &str) -> ItemId {
    ItemId::parse(text).unwrap()
}

/// The settings as SPEC 5 gives them.
fn rules() -> Rules {
    Rules {
        preempt_grace: Duration::from_secs(30),
        max_preemptions: 3,
        chat_linger: Duration::from_secs(1),
        task_cooldown: Duration::ZERO,
        disconnect_grace: Duration::from_secs(10),
        finish_on_disconnect: false,
        dependency_timeout: Duration::from_secs(24 * 3_600),
        max_attempts: 3,
    }
}

//! The proof of SPEC section 5.
//!
//! Every rule has a short test that reads as the rule (`slot`, `when_busy`, `pause`, `people`, `stop`, `time`,
//! `view`, `waiting`), told to a `bench`. Random worlds (`properties`) then look for what nobody thought of: a `world`
//! performs the actions as adapters would, a `model` says as plainly as can be what the rules allow, and a `witness`
//! holds every action, and every omission, against it. A `day` is one of them at length, with lives of the daemon that
//! end and begin again from what a `ledger` knows.

mod bench;
mod day;
mod ledger;
mod model;
mod pause;
mod people;
mod properties;
mod slot;
mod stop;
mod time;
mod view;
mod waiting;
mod when_busy;
mod witness;
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
        dependency_timeout: Duration::from_hours(24),
        max_attempts: 3,
    }
}

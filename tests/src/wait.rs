//! Waiting for what is to come true, without a guess at how long it takes.

use std::time::{Duration, Instant};

/// How long a condition may take to come true. Generous: only a test that fails waits so long.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until `condition` gives something, and gives that.
///
/// # Panics
///
/// After [`DEADLINE`], with `what` was waited for and the `state` of things.
pub async fn until<T>(
    what: &str,
    state: impl AsyncFnOnce() -> String,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        if begun.elapsed() > DEADLINE {
            let state = state().await;
            panic!("waited {DEADLINE:?} in vain: {what}\n{state}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

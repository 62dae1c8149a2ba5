//! Places where a test has the daemon die as `kill -9` kills it: between the steps of SPEC 12.
//!
//! `HIVE_DIE_AT` names them. Of several, as in `started>committed`, each counts once the one before it was passed; at
//! the last one the daemon kills itself. Only builds with debug assertions have them: elsewhere a passage is nothing.

use std::sync::{Mutex, OnceLock, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Names the places to pass, the last of which is the one to die at.
const VARIABLE: &str = "HIVE_DIE_AT";

/// The daemon is at this place.
pub(crate) fn pass(place: &str) {
    if cfg!(debug_assertions) && plan().is_over_at(place) {
        // A kill of oneself cannot fail.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| Plan::of(&std::env::var(VARIABLE).unwrap_or_default()))
}

/// The places that are still to be passed, the next one last.
struct Plan(Mutex<Vec<String>>);

impl Plan {
    fn of(places: &str) -> Self {
        let names = places.split('>').filter(|name| !name.is_empty());
        Self(Mutex::new(names.rev().map(str::to_owned).collect()))
    }

    /// Takes note of a passage, and says whether it was the last one.
    fn is_over_at(&self, place: &str) -> bool {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.pop_if(|next| next == place).is_some() && ahead.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_counts_once_those_before_it_were_passed() {
        let plan = Plan::of("a>b>b");
        let passed = ["b", "a", "a", "b", "c", "b", "b"].map(|place| plan.is_over_at(place));
        assert_eq!(passed, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn without_a_plan_nothing_is_over() {
        assert!(!Plan::of("").is_over_at("") && !Plan::of("").is_over_at("a"));
    }
}

//! Places where a test has the daemon die as `kill -9` kills it, between the steps of SPEC 12, or has the disk fail.
//!
//! `HIVE_DIE_AT` names them. Of several, as in `started>committed`, each counts once the one before it was passed; at
//! the last one the daemon kills itself. `HIVE_FAIL_AT` names a place and how often it fails with an error of the disk
//! before it goes well, as in `log sync=3`. Only builds with debug assertions have them: elsewhere a passage is nothing.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Names the place where the disk fails, and how often.
const FAIL: &str = "HIVE_FAIL_AT";
/// Names the places to pass, the last of which is the one to die at.
const DIE: &str = "HIVE_DIE_AT";

/// The daemon is at this place.
pub(crate) fn pass(place: &str) {
    if cfg!(debug_assertions) && plan().is_over_at(place) {
        // A kill of oneself cannot fail.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

/// An error of the disk, if it is to fail at this place.
pub(crate) fn error(place: &str) -> io::Result<()> {
    static FAILURES: OnceLock<Failures> = OnceLock::new();
    let failures = || FAILURES.get_or_init(|| Failures::of(&std::env::var(FAIL).unwrap_or_default()));
    if cfg!(debug_assertions) && failures().takes_one(place) {
        return Err(io::Error::from_raw_os_error(nix::libc::EIO));
    }
    Ok(())
}

/// A place, and how often it is still to fail.
struct Failures {
    place: String,
    left: AtomicU32,
}

impl Failures {
    fn of(text: &str) -> Self {
        let (place, times) = text.split_once('=').unwrap_or_default();
        Self { place: place.to_owned(), left: AtomicU32::new(times.parse().unwrap_or(0)) }
    }

    fn takes_one(&self, place: &str) -> bool {
        place == self.place
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| Plan::of(&std::env::var(DIE).unwrap_or_default()))
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
    fn a_place_fails_as_often_as_it_is_to() {
        let failures = Failures::of("log sync=2");
        let taken = ["other", "log sync", "log sync", "log sync"].map(|place| failures.takes_one(place));
        assert_eq!(taken, [false, true, true, false]);
        assert!(!Failures::of("").takes_one(""));
    }

    #[test]
    fn without_a_plan_nothing_is_over() {
        assert!(!Plan::of("").is_over_at("") && !Plan::of("").is_over_at("a"));
    }
}

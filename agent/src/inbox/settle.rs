//! When is a file complete? The rules of SPEC 2 ("a half-written file is never taken") as a state machine without
//! I/O or clock: the caller looks at a file, says why it looked and what it saw, and is told to take it or to wait.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::file_id::Fingerprint;

/// How long files are given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// What was created or modified under our eyes and was not closed is taken after so long without a change: it
    /// was written through a memory map, or its writer hangs.
    pub(super) unclosed: Duration,
    /// The same for a file with several hard links: linking a complete file looks like creating one, and nothing more
    /// follows.
    pub(super) linked: Duration,
    /// An empty file is given so long at least: it is about to be written.
    pub(super) empty: Duration,
    /// A file of which nothing is known is complete if its last change is so long ago by the wall clock,
    pub(super) old: Duration,
    /// or if we saw no change for so long.
    pub(super) quiet: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            unclosed: Duration::from_secs(10),
            linked: Duration::from_millis(500),
            empty: Duration::from_secs(2),
            old: Duration::from_secs(2),
            quiet: Duration::from_millis(500),
        }
    }
}

/// Why the caller looked at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It was closed after writing, or renamed in: nobody is at it.
    Closed,
    /// It was created or modified: somebody is at it, and will close it.
    Writing,
    /// It is there, and what happens to it is not known.
    Found,
    /// Its time has come ([`Settle::due`]).
    Due,
}

/// What the caller saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Which file with which content.
    pub(super) fingerprint: Fingerprint,
    /// How many names it has.
    pub(super) links: u64,
    /// How long ago it was modified, by the wall clock; `None` if that is in the future.
    pub(super) age: Option<Duration>,
}

/// What to do about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    /// It is complete as it was seen: read it.
    Take,
    /// Look again when something happens to it, at this time at the latest.
    Wait(Instant),
}

/// The files that are waited for.
#[derive(Debug)]
pub(super) struct Settle {
    patience: Patience,
    waiting: HashMap<Arc<str>, Waiting>,
    deadlines: BTreeSet<(Instant, Arc<str>)>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    fingerprint: Fingerprint,
    /// Since when we know it to be as it is.
    since: Instant,
    until: Instant,
    trust: Trust,
}

/// What the signs so far say about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Closed,
    Writing,
    Unknown,
}

impl Settle {
    /// Waits for nothing yet.
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, waiting: HashMap::new(), deadlines: BTreeSet::new() }
    }

    /// The file `name` was looked at because of `sign`. After [`Verdict::Take`] it is not waited for any more.
    pub(super) fn handle(&mut self, now: Instant, name: &str, sign: Sign, look: &Look) -> Verdict {
        let (key, before) = match self.remove(name) {
            Some((key, waiting)) => (key, Some(waiting)),
            None => (Arc::from(name), None),
        };
        let unchanged = before.filter(|w| w.fingerprint == look.fingerprint);
        let trust = match (sign, before) {
            (Sign::Closed, _) => Trust::Closed,
            (Sign::Writing, _) => Trust::Writing,
            (Sign::Found | Sign::Due, None) => Trust::Unknown,
            (Sign::Found | Sign::Due, Some(w)) => match w.trust {
                // It changed after it was closed, and no event said so.
                Trust::Closed if unchanged.is_none() => Trust::Unknown,
                trust @ (Trust::Closed | Trust::Writing | Trust::Unknown) => trust,
            },
        };
        // Being written to is a change, even if the file's clock is too coarse to show it.
        let since = unchanged.filter(|_| sign != Sign::Writing).map_or(now, |w| w.since);
        let until = since + self.needed(trust, look);
        if until <= now {
            return Verdict::Take;
        }
        self.deadlines.insert((until, Arc::clone(&key)));
        self.waiting.insert(key, Waiting { fingerprint: look.fingerprint, since, until, trust });
        Verdict::Wait(until)
    }

    /// How long such a file must stay as it is.
    fn needed(&self, trust: Trust, look: &Look) -> Duration {
        let older_than = |limit| look.age.is_some_and(|age| age >= limit);
        let written = match trust {
            Trust::Closed => Duration::ZERO,
            Trust::Writing if look.links > 1 => self.patience.linked,
            Trust::Writing => self.patience.unclosed,
            Trust::Unknown if older_than(self.patience.old.max(self.empty(look))) => return Duration::ZERO,
            Trust::Unknown => self.patience.quiet,
        };
        written.max(self.empty(look))
    }

    fn empty(&self, look: &Look) -> Duration {
        if look.fingerprint.size == 0 { self.patience.empty } else { Duration::ZERO }
    }

    /// The files whose time has come: each is to be looked at again and handed to [`Settle::handle`] with
    /// [`Sign::Due`], or to be forgotten. Each is named once.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Arc<str>> {
        let mut due = Vec::new();
        while self.next_due().is_some_and(|until| until <= now) {
            due.extend(self.deadlines.pop_first().map(|(_, name)| name));
        }
        due
    }

    /// When to call [`Settle::due`]; `None` if nothing is waited for.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// Whether `name` is waited for.
    pub(super) fn is_waiting(&self, name: &str) -> bool {
        self.waiting.contains_key(name)
    }

    /// The file is gone, or is none of ours.
    pub(super) fn forget(&mut self, name: &str) {
        self.remove(name);
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.deadlines.clear();
    }

    /// Events were lost: a close that we wait for may never be told. From now on the files are judged by what is seen.
    pub(super) fn distrust(&mut self) {
        for waiting in self.waiting.values_mut() {
            waiting.trust = Trust::Unknown;
        }
    }

    fn remove(&mut self, name: &str) -> Option<(Arc<str>, Waiting)> {
        let (key, waiting) = self.waiting.remove_entry(name)?;
        self.deadlines.remove(&(waiting.until, Arc::clone(&key)));
        Some((key, waiting))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn print(version: i64, size: u64) -> Fingerprint {
        Fingerprint::made_up(size, version)
    }

    fn fresh(version: i64) -> Look {
        Look { fingerprint: print(version, 10), links: 1, age: Some(Duration::ZERO) }
    }

    fn empty() -> Look {
        Look { fingerprint: print(0, 0), links: 1, age: Some(Duration::ZERO) }
    }

    fn settle() -> (Settle, Instant) {
        (Settle::new(Patience::default()), Instant::now())
    }

    #[test]
    fn what_is_being_written_is_taken_when_it_is_closed_and_not_before() {
        let (mut settle, t) = settle();
        assert_eq!(settle.handle(t, "a", Sign::Writing, &fresh(1)), Verdict::Wait(t + 10_000 * MS));
        let t = t + 9_000 * MS;
        assert_eq!(settle.handle(t, "a", Sign::Writing, &fresh(2)), Verdict::Wait(t + 10_000 * MS));
        let stale = Look { age: Some(3_000 * MS), ..fresh(2) };
        assert_eq!(settle.handle(t + 3_000 * MS, "a", Sign::Found, &stale), Verdict::Wait(t + 10_000 * MS));
        assert_eq!(settle.handle(t + 4_000 * MS, "a", Sign::Closed, &fresh(3)), Verdict::Take);
        assert!(!settle.is_waiting("a"));
        assert_eq!(settle.next_due(), None);
    }

    #[test]
    fn what_is_never_closed_is_taken_after_ten_quiet_seconds_and_a_link_sooner() {
        let (mut settle, t) = settle();
        let _ = settle.handle(t, "a", Sign::Writing, &fresh(1));
        assert!(settle.due(t + 9_999 * MS).is_empty());
        let t = t + 10_000 * MS;
        assert_eq!(settle.due(t), [Arc::from("a")]);
        assert_eq!(settle.handle(t, "a", Sign::Due, &fresh(2)), Verdict::Wait(t + 10_000 * MS));
        let t = t + 10_000 * MS;
        assert_eq!(settle.due(t), [Arc::from("a")]);
        assert_eq!(settle.handle(t, "a", Sign::Due, &fresh(2)), Verdict::Take);
        let link = Look { links: 2, ..fresh(1) };
        assert_eq!(settle.handle(t, "b", Sign::Writing, &link), Verdict::Wait(t + 500 * MS));
        assert_eq!(settle.handle(t + 500 * MS, "b", Sign::Due, &link), Verdict::Take);
    }

    #[test]
    fn what_is_found_is_judged_by_its_age_or_by_our_own_observation() {
        let (mut settle, t) = settle();
        let old = Look { age: Some(2_000 * MS), ..fresh(1) };
        assert_eq!(settle.handle(t, "old", Sign::Found, &old), Verdict::Take);
        let future = Look { age: None, ..fresh(1) };
        for (name, look) in [("fresh", fresh(1)), ("future", future)] {
            assert_eq!(settle.handle(t, name, Sign::Found, &look), Verdict::Wait(t + 500 * MS), "{name}");
            assert_eq!(settle.handle(t + 400 * MS, name, Sign::Found, &look), Verdict::Wait(t + 500 * MS));
            let changed = Look { fingerprint: print(2, 10), ..look };
            let later = t + 500 * MS;
            assert_eq!(settle.handle(later, name, Sign::Due, &changed), Verdict::Wait(later + 500 * MS));
            assert_eq!(settle.handle(later + 500 * MS, name, Sign::Due, &changed), Verdict::Take);
        }
    }

    #[test]
    fn an_empty_file_gets_two_seconds() {
        let (mut settle, t) = settle();
        for sign in [Sign::Closed, Sign::Found] {
            assert_eq!(settle.handle(t, "a", sign, &empty()), Verdict::Wait(t + 2_000 * MS));
            assert_eq!(settle.handle(t + 1_000 * MS, "a", sign, &empty()), Verdict::Wait(t + 2_000 * MS));
            assert_eq!(settle.handle(t + 2_000 * MS, "a", Sign::Due, &empty()), Verdict::Take);
        }
        assert_eq!(settle.handle(t, "b", Sign::Writing, &empty()), Verdict::Wait(t + 10_000 * MS));
        let old = Look { age: Some(2_000 * MS), ..empty() };
        assert_eq!(settle.handle(t, "c", Sign::Found, &old), Verdict::Take);
        assert_eq!(settle.handle(t, "c", Sign::Closed, &old), Verdict::Wait(t + 2_000 * MS));
        let mut settle = Settle::new(Patience { old: 100 * MS, ..Patience::default() });
        let not_so_old = Look { age: Some(1_000 * MS), ..empty() };
        assert_eq!(settle.handle(t, "d", Sign::Found, &not_so_old), Verdict::Wait(t + 2_000 * MS));
    }

    #[test]
    fn an_empty_file_that_grows_unannounced_is_not_taken_on_the_word_of_the_old_close() {
        let (mut settle, t) = settle();
        let _ = settle.handle(t, "a", Sign::Closed, &empty());
        let t = t + 2_000 * MS;
        assert_eq!(settle.handle(t, "a", Sign::Due, &fresh(2)), Verdict::Wait(t + 500 * MS));
    }

    #[test]
    fn a_close_that_may_have_been_lost_is_not_waited_for() {
        let (mut settle, t) = settle();
        let _ = settle.handle(t, "a", Sign::Writing, &fresh(1));
        settle.distrust();
        assert_eq!(settle.handle(t + 600 * MS, "a", Sign::Found, &fresh(1)), Verdict::Take);
    }

    fn signs() -> impl Strategy<Value = Sign> {
        prop_oneof![Just(Sign::Closed), Just(Sign::Writing), Just(Sign::Found), Just(Sign::Due)]
    }

    fn looks() -> impl Strategy<Value = Look> {
        (0_i64..3, 0_u64..2, 1_u64..3, proptest::option::of(0_u64..4_000)).prop_map(
            |(version, size, links, age)| Look {
                fingerprint: print(version, size),
                links,
                age: age.map(Duration::from_millis),
            },
        )
    }

    proptest! {
        /// What stays as it is and is looked at when it is due is taken within the longest patience.
        #[test]
        fn nothing_waits_for_ever(steps in prop::collection::vec((signs(), looks()), 1..20)) {
            let (mut settle, mut t) = settle();
            for (sign, look) in &steps {
                t += 100 * MS;
                let _ = settle.handle(t, "a", *sign, look);
            }
            let (start, last) = (t, steps[steps.len() - 1].1);
            while let Some(next) = settle.next_due() {
                t = next;
                for name in settle.due(t) {
                    let _ = settle.handle(t, &name, Sign::Due, &last);
                }
            }
            prop_assert!(t <= start + Patience::default().unclosed);
            prop_assert!(!settle.is_waiting("a"));
        }

        /// A file is taken only if it is closed and not empty, or has aged, or did not change while we waited.
        #[test]
        fn nothing_is_taken_early(steps in prop::collection::vec((0_u64..3_000, signs(), looks()), 1..40)) {
            let (mut settle, mut t) = settle();
            let patience = Patience::default();
            // What was seen last, since when it is like that, and whether somebody is known to be at it.
            let mut seen: Option<(Fingerprint, Instant, bool)> = None;
            for (pause, sign, look) in steps {
                t += Duration::from_millis(pause);
                let same = seen.filter(|s| s.0 == look.fingerprint && sign != Sign::Writing);
                let since = same.map_or(t, |s| s.1);
                let busy = sign == Sign::Writing || (seen.is_some_and(|s| s.2) && sign != Sign::Closed);
                match settle.handle(t, "a", sign, &look) {
                    Verdict::Take => {
                        let full = look.fingerprint.size > 0;
                        let aged = !busy && look.age.is_some_and(|age| age >= patience.old);
                        let waited = t - since;
                        prop_assert!(
                            (sign == Sign::Closed && full)
                                || (aged && sign != Sign::Closed)
                                || (waited >= patience.quiet && full && (!busy || look.links > 1))
                                || (waited >= patience.empty && (!busy || look.links > 1))
                                || waited >= patience.unclosed,
                        );
                        seen = None;
                    }
                    Verdict::Wait(until) => {
                        prop_assert!(until > t && settle.is_waiting("a"));
                        prop_assert_eq!(settle.next_due(), Some(until));
                        seen = Some((look.fingerprint, since, busy));
                    }
                }
            }
        }

        /// Each file is due once, and none is forgotten.
        #[test]
        fn due_names_each_file_once(signs in prop::collection::vec(signs(), 1..30)) {
            let (mut settle, t) = settle();
            let mut waiting = Vec::new();
            for (i, sign) in signs.iter().enumerate() {
                if let Verdict::Wait(_) = settle.handle(t, &format!("{i:02}"), *sign, &fresh(1)) {
                    waiting.push(format!("{i:02}"));
                }
            }
            let mut due: Vec<_> = settle.due(t + 10_000 * MS).iter().map(ToString::to_string).collect();
            due.sort();
            prop_assert_eq!(due, waiting);
            prop_assert!(settle.due(t + 20_000 * MS).is_empty());
        }
    }
}

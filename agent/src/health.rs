//! How well a bot does, in words (SPEC 10).

use std::time::Duration;

use hive_shared::api::{Health, HealthLevel};
use hive_shared::time::show_duration;

/// What the health of a bot depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signs<'a> {
    /// How many items wait.
    pub waiting: usize,
    /// How many of the last items failed, of how many.
    pub recent_failures: (usize, usize),
    /// How long ago anything happened.
    pub quiet_for: Duration,
    /// Whether the disk does not take what is to be written.
    pub disk_trouble: bool,
    /// What else keeps the bot from its work, for people.
    pub troubles: &'a [String],
}

/// Up to so many waiting items are healthy.
const QUEUE_HEALTHY: usize = 5;
/// Up to so many are a warning.
const QUEUE_WARNING: usize = 20;
/// Failures among the last items, in percent, that are a warning at most.
const FAILURES_WARNING: usize = 5;
/// Work that waits longer than this with nothing happening is a warning.
const QUIET_HEALTHY: Duration = Duration::from_mins(1);
/// Longer than this is critical.
const QUIET_WARNING: Duration = Duration::from_mins(5);

/// Looks at the signs.
pub fn assess(signs: Signs<'_>) -> Health {
    let mut found = Vec::new();
    let queue = match signs.waiting {
        0..=QUEUE_HEALTHY => HealthLevel::Healthy,
        n if n <= QUEUE_WARNING => HealthLevel::Warning,
        _ => HealthLevel::Critical,
    };
    found.push((queue, format!("{} items wait", signs.waiting)));
    let (failed, of) = signs.recent_failures;
    let failures = match failed * 100 {
        0 => HealthLevel::Healthy,
        percent if percent <= FAILURES_WARNING * of => HealthLevel::Warning,
        _ => HealthLevel::Critical,
    };
    found.push((failures, format!("{failed} of the last {of} items failed")));
    let quiet = if signs.waiting == 0 || signs.quiet_for < QUIET_HEALTHY {
        HealthLevel::Healthy
    } else if signs.quiet_for < QUIET_WARNING {
        HealthLevel::Warning
    } else {
        HealthLevel::Critical
    };
    found.push((quiet, format!("nothing happened for {} while work waits", show_duration(signs.quiet_for))));
    let disk = if signs.disk_trouble { HealthLevel::Critical } else { HealthLevel::Healthy };
    found.push((disk, "the disk does not take what is to be written".to_owned()));
    found.extend(signs.troubles.iter().map(|trouble| (HealthLevel::Critical, trouble.clone())));
    let status = found.iter().map(|(level, _)| *level).max().unwrap_or(HealthLevel::Healthy);
    let reasons =
        found.into_iter().filter(|(level, _)| *level > HealthLevel::Healthy).map(|(_, reason)| reason);
    Health { status, reasons: reasons.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Signs<'_> = Signs {
        waiting: 0,
        recent_failures: (0, 20),
        quiet_for: Duration::from_hours(9),
        disk_trouble: false,
        troubles: &[],
    };

    fn level(signs: Signs<'_>) -> HealthLevel {
        assess(signs).status
    }

    #[test]
    fn the_bounds_of_the_contract() {
        use HealthLevel::{Critical, Healthy, Warning};
        assert_eq!(assess(WELL), Health { status: Healthy, reasons: Vec::new() });
        let busy = Signs { quiet_for: Duration::ZERO, ..WELL };
        assert_eq!(
            [5, 6, 20, 21].map(|waiting| level(Signs { waiting, ..busy })),
            [Healthy, Warning, Warning, Critical]
        );
        assert_eq!(
            [(1, 20), (1, 19), (2, 20)].map(|f| level(Signs { recent_failures: f, ..WELL })),
            [Warning, Critical, Critical]
        );
        let waits = |secs| level(Signs { waiting: 1, quiet_for: Duration::from_secs(secs), ..WELL });
        assert_eq!([59, 60, 299, 300].map(waits), [Healthy, Warning, Warning, Critical]);
        assert_eq!(assess(Signs { disk_trouble: true, ..WELL }).reasons.len(), 1);
        let troubles = ["it cannot work".to_owned()];
        let told = Health { status: Critical, reasons: troubles.to_vec() };
        assert_eq!(assess(Signs { troubles: &troubles, ..WELL }), told);
    }
}

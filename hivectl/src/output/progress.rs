//! The line on a terminal that shows how a wait goes.

use std::fmt::Write;
use std::time::Duration;

use hive_shared::time::show_duration;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::escape::{Place, escape};

/// How often the line moves by itself.
const TICK: Duration = Duration::from_millis(200);

/// How a wait stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is waited for, in words.
    pub text: String,
    /// How much of it is done, where it is many.
    pub count: Option<Count>,
    /// The time that it takes, while it runs.
    pub clock: Option<Clock>,
}

/// So many of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Those that are done.
    pub done: usize,
    /// All.
    pub total: usize,
}

/// A time that goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What has passed by now.
    pub elapsed: Duration,
    /// What may pass.
    pub limit: Duration,
}

/// The line, while it is there.
#[derive(Debug, Default)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows the line, or what it says now.
    pub(super) fn show(&mut self, standing: &Standing) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_style(style(standing));
        if let Some(Count { done, total }) = standing.count {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
        if let Some(clock) = standing.clock {
            bar.set_elapsed(clock.elapsed);
        }
        bar.set_message(escape(&standing.text, Place::Line));
    }

    /// Takes the line away while something else is written to the terminal.
    pub(super) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away.
    pub(super) fn take_away(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn style(standing: &Standing) -> ProgressStyle {
    let style = ProgressStyle::with_template(&template(standing)).expect("the template is ours");
    match standing.clock {
        Some(Clock { limit, .. }) => {
            style.with_key("clock", move |state: &ProgressState, line: &mut dyn Write| {
                let _infallible =
                    write!(line, "{} of {}", show_duration(state.elapsed()), show_duration(limit));
            })
        }
        None => style,
    }
}

/// The words come last, as they are what is cut where the terminal is narrow.
fn template(standing: &Standing) -> String {
    let bar = if standing.count.is_some() { "{bar:20} {pos}/{len}  " } else { "" };
    let clock = if standing.clock.is_some() { "{clock}  " } else { "" };
    format!("{{spinner}} {bar}{clock}{{wide_msg}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standing_has_a_style() {
        let count = Some(Count { done: 1, total: 3 });
        let clock = Some(Clock { elapsed: Duration::from_secs(1), limit: Duration::from_secs(60) });
        for (count, clock) in [(None, None), (count, None), (None, clock), (count, clock)] {
            let standing = Standing { text: "x".into(), count, clock };
            let _style = style(&standing);
        }
        let all = Standing { text: String::new(), count, clock };
        assert_eq!(template(&all), "{spinner} {bar:20} {pos}/{len}  {clock}  {wide_msg}");
    }
}

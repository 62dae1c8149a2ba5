//! The line on a terminal that shows how a wait goes, and the lines that show what goes on.

use std::fmt::Write;
use std::time::Duration;

use hive_shared::time::show_duration;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::escape::{Place, escape};
use super::rows::Rows;

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

/// Something that goes on, in a line at the bottom of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Going {
    /// By what the line is known from one time to the next.
    pub key: String,
    /// What it says; what is too long for the terminal is cut.
    pub text: String,
    /// Whether it moves.
    pub moves: bool,
}

/// The lines, while they are there.
#[derive(Debug)]
pub(super) struct Progress {
    /// Whether they may have characters beyond ASCII.
    utf8: bool,
    bar: Option<ProgressBar>,
    going: Option<Board>,
}

/// Several lines, each known by its key.
#[derive(Debug)]
struct Board {
    utf8: bool,
    all: MultiProgress,
    lines: Vec<(Going, ProgressBar)>,
}

impl Progress {
    pub(super) fn new(utf8: bool) -> Self {
        Self { utf8, bar: None, going: None }
    }

    /// Shows the line, or what it says now.
    pub(super) fn show(&mut self, standing: &Standing) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, stderr());
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_style(style(standing, self.utf8));
        if let Some(Count { done, total }) = standing.count {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
        if let Some(clock) = standing.clock {
            bar.set_elapsed(clock.elapsed);
        }
        bar.set_message(escape(&standing.text, Place::Line));
    }

    /// Shows these lines in place of those before them. Those that move have moved on.
    pub(super) fn show_going(&mut self, lines: &[Going]) {
        if lines.is_empty() && self.going.is_none() {
            return;
        }
        let utf8 = self.utf8;
        let board = self.going.get_or_insert_with(|| Board {
            utf8,
            all: MultiProgress::with_draw_target(stderr()),
            lines: Vec::new(),
        });
        board.show(lines);
    }

    /// Takes the lines away while something else is written to the terminal.
    pub(super) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match (&self.bar, &self.going) {
            (Some(bar), _) => bar.suspend(write),
            (None, Some(board)) => board.all.suspend(write),
            (None, None) => write(),
        }
    }

    /// Takes the lines away.
    pub(super) fn take_away(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(mut board) = self.going.take() {
            board.show(&[]);
            // A terminal that is gone shows nothing any more.
            let _gone = board.all.clear();
        }
    }
}

impl Board {
    fn show(&mut self, lines: &[Going]) {
        let all = &self.all;
        self.lines.retain(|(shown, bar)| {
            let stays = lines.iter().any(|line| line.key == shown.key);
            if !stays {
                bar.finish_and_clear();
                all.remove(bar);
            }
            stays
        });
        for (index, line) in lines.iter().enumerate() {
            let at = self.lines.iter().position(|(shown, _)| shown.key == line.key);
            let at = at.unwrap_or_else(|| {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
                bar.set_style(going_style(line.moves, self.utf8));
                let bar = all.insert(index, bar);
                self.lines.insert(index, (line.clone(), bar));
                index
            });
            let (shown, bar) = &mut self.lines[at];
            if shown.moves != line.moves {
                bar.set_style(going_style(line.moves, self.utf8));
            }
            bar.set_message(escape(&line.text, Place::Line));
            if line.moves {
                bar.tick();
            }
            *shown = line.clone();
        }
    }
}

/// Where the lines are drawn, and how often in a second at most.
fn stderr() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Rows::of_stderr()), 20)
}

fn going_style(moves: bool, utf8: bool) -> ProgressStyle {
    marked(if moves { "{spinner} {wide_msg}" } else { "  {wide_msg}" }, utf8)
}

fn marked(template: &str, utf8: bool) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the template is ours");
    if utf8 { style } else { style.tick_chars("|/-\\ ").progress_chars("=>-") }
}

fn style(standing: &Standing, utf8: bool) -> ProgressStyle {
    let style = marked(&template(standing), utf8);
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
    fn lines_come_and_go_by_their_keys() {
        let going = |key: &str| Going { key: key.into(), text: format!("{key} goes on"), moves: key != "B" };
        let mut progress = Progress::new(true);
        let mut show = |keys: &[&str]| {
            progress.show_going(&keys.iter().map(|key| going(key)).collect::<Vec<_>>());
            let board = progress.going.as_ref();
            board.map(|board| board.lines.iter().map(|(line, _)| line.key.clone()).collect::<Vec<_>>())
        };
        assert_eq!(show(&[]), None);
        for keys in [&["A", "B"][..], &["C", "A", "B"], &["C", "B"], &[]] {
            assert_eq!(show(keys).unwrap(), keys);
        }
    }

    #[test]
    fn every_standing_has_a_style() {
        let count = Some(Count { done: 1, total: 3 });
        let clock = Some(Clock { elapsed: Duration::from_secs(1), limit: Duration::from_secs(60) });
        for (count, clock) in [(None, None), (count, None), (None, clock), (count, clock)] {
            let standing = Standing { text: "x".into(), count, clock };
            let _styles = [style(&standing, true), style(&standing, false)];
        }
        let all = Standing { text: String::new(), count, clock };
        assert_eq!(template(&all), "{spinner} {bar:20} {pos}/{len}  {clock}  {wide_msg}");
    }
}

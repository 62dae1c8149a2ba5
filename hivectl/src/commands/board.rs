//! How something goes that is done for several bots at once: `up` and `down`.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use futures::future::join_all;

use crate::output::Printer;
use crate::output::progress::{Count, Standing};

/// How often it is looked whether a bot is there, or gone.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// A process that takes longer to answer hangs, or is not there yet.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// How often the line of progress is drawn anew.
const REDRAW: Duration = Duration::from_millis(100);

/// What is told of each bot while it lasts.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// How it stands with each that is not done.
    standings: RefCell<Vec<Option<Standing>>>,
    notices: RefCell<Vec<String>>,
}

/// Speaks for one bot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice<'a> {
    board: &'a Board,
    index: usize,
}

impl Voice<'_> {
    /// Says how it stands.
    pub(super) fn say(self, standing: Standing) {
        self.board.standings.borrow_mut()[self.index] = Some(standing);
    }

    /// Says how it stands in words alone.
    pub(super) fn words(self, text: String) {
        self.say(Standing { text, ..Standing::default() });
    }

    /// Says something that is to stay.
    pub(super) fn notice(self, text: String) {
        self.board.notices.borrow_mut().push(text);
    }
}

impl Board {
    /// A voice for one more bot.
    pub(super) fn voice(&self) -> Voice<'_> {
        let mut standings = self.standings.borrow_mut();
        standings.push(None);
        Voice { board: self, index: standings.len() - 1 }
    }

    /// Does all at once, shows how it goes, and gives what came of each, in order.
    pub(super) async fn run<'a, T, F: Future<Output = T>>(
        &'a self,
        work: impl Iterator<Item = (Voice<'a>, F)>,
        out: &mut Printer,
    ) -> Vec<T> {
        let mut all = std::pin::pin!(join_all(work.map(|(voice, future)| async move {
            let done = future.await;
            self.standings.borrow_mut()[voice.index] = None;
            done
        })));
        let mut redraw = tokio::time::interval(REDRAW);
        loop {
            let ended = tokio::select! {
                biased;
                done = &mut all => Some(done),
                _ = redraw.tick() => None,
            };
            for notice in self.notices.take() {
                out.notice(&notice);
            }
            if let Some(done) = ended {
                out.settle();
                return done;
            }
            if let Some(standing) = self.summary() {
                out.progress(&standing);
            }
        }
    }

    /// One bot is shown with all there is to tell, several by the first of them and a count.
    fn summary(&self) -> Option<Standing> {
        let standings = self.standings.borrow();
        let total = standings.len();
        let mut open = standings.iter().flatten();
        let first = open.next()?.clone();
        let more = open.count();
        if total == 1 {
            return Some(first);
        }
        let text = if more == 0 { first.text } else { format!("{} (and {more} more)", first.text) };
        Some(Standing { text, count: Some(Count { done: total - more - 1, total }), clock: first.clock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_shown_by_the_first_and_a_count() {
        let board = Board::default();
        let voices = [board.voice(), board.voice(), board.voice()];
        assert_eq!(board.summary(), None);
        voices[1].words("BOT-2 starts".into());
        voices[2].words("BOT-3 starts".into());
        let summary = board.summary().unwrap();
        assert_eq!(summary.text, "BOT-2 starts (and 1 more)");
        assert_eq!(summary.count, Some(Count { done: 1, total: 3 }));
        let alone = Board::default();
        alone.voice().words("BOT-1 starts".into());
        assert_eq!(alone.summary().unwrap(), Standing { text: "BOT-1 starts".into(), ..Standing::default() });
    }
}

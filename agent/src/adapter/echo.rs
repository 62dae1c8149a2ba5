//! The built-in adapter that says the instruction back (SPEC 6): for trying things out without an agent.

use std::sync::Arc;
use std::time::Duration;

use super::{Control, Controls, Failure, Reporter, RunSpec};
use crate::turn::Turn;

/// How much is said at once where no pace is set, in bytes: small enough to be a frame of a chat.
const BIG_CHUNK: usize = 16 * 1024;

/// Streams the instruction back, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// The time between two words; zero for no pace at all.
    pub delay: Duration,
}

impl Echo {
    pub(super) async fn run(
        self,
        spec: RunSpec,
        turn: Arc<Turn>,
        mut controls: Controls,
        reporter: Reporter,
    ) {
        let result = self.speak(&spec.instruction, &turn, &mut controls, &reporter).await;
        reporter.ended(result);
    }

    async fn speak(
        &self,
        instruction: &str,
        turn: &Turn,
        controls: &mut Controls,
        reporter: &Reporter,
    ) -> Result<(), Failure> {
        let mut rest = instruction;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(self.chunk_len(rest));
            turn.say(chunk);
            rest = after;
            if !rest.is_empty() {
                self.pause(controls, reporter).await?;
            }
        }
        Ok(())
    }

    fn chunk_len(&self, text: &str) -> usize {
        if self.delay.is_zero() {
            text.floor_char_boundary(BIG_CHUNK.min(text.len()))
        } else {
            word_len(text)
        }
    }

    /// Waits between two words, and on while the run is suspended.
    async fn pause(&self, controls: &mut Controls, reporter: &Reporter) -> Result<(), Failure> {
        let mut suspended = false;
        let word_is_due = tokio::time::sleep(self.delay);
        tokio::pin!(word_is_due);
        loop {
            tokio::select! {
                biased;
                control = controls.next() => match control {
                    Control::Suspend if suspended => {}
                    Control::Suspend => {
                        suspended = true;
                        reporter.suspended();
                    }
                    Control::Resume => suspended = false,
                    Control::Answer(_) => {}
                    Control::Cancel | Control::Terminate | Control::Kill => return Err(Failure::cancelled()),
                },
                () = &mut word_is_due, if !suspended => return Ok(()),
            }
        }
    }
}

/// The length of the first word of `text`, with the space before and after it.
fn word_len(text: &str) -> usize {
    let start = text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len());
    let end = text[start..].find(char::is_whitespace).map_or(text.len(), |at| start + at);
    text[end..].find(|c: char| !c.is_whitespace()).map_or(text.len(), |at| end + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_the_space_around_them() {
        let mut rest = "  one\n\ttwo  drei … ";
        let mut words = Vec::new();
        while !rest.is_empty() {
            let (word, after) = rest.split_at(word_len(rest));
            words.push(word);
            rest = after;
        }
        assert_eq!(words, ["  one\n\t", "two  ", "drei ", "… "]);
        assert_eq!(word_len(" \n"), 2);
    }
}

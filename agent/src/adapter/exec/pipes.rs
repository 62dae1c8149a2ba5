//! A command's standard streams.

use std::borrow::Cow;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much is read at once, in bytes: what a pipe holds.
const READ_SIZE: usize = 64 * 1024;

/// How much of the end of stderr is kept, in bytes.
const TAIL_SIZE: usize = 16 * 1024;

/// Writes all of `text` and closes the pipe. That the other side does not read is its own affair and no error.
pub(super) async fn feed(pipe: Option<impl AsyncWrite + Unpin>, text: &str) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(text.as_bytes()).await;
    }
}

/// Hands on what comes as text, as soon as it comes, until the other side closes.
pub(super) async fn pour(pipe: Option<impl AsyncRead + Unpin>, mut say: impl FnMut(&str)) {
    let Some(mut pipe) = pipe else { return };
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; READ_SIZE];
    // Reading from a pipe fails only when the pipe is no good any more.
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        say(&decoder.decode(&buffer[..length]));
    }
    say(decoder.finish());
}

/// Reads until the other side closes, and gives the end of it.
pub(super) async fn keep_tail(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut tail = Vec::new();
    let Some(mut pipe) = pipe else { return tail };
    let mut buffer = vec![0; TAIL_SIZE];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        tail.extend_from_slice(&buffer[..length]);
        tail.drain(..tail.len().saturating_sub(TAIL_SIZE));
    }
    tail
}

/// Makes text of bytes that come in pieces: what is no UTF-8 becomes U+FFFD, and a character that was split over two
/// pieces stays whole.
#[derive(Default)]
struct Decoder {
    /// The beginning of a character whose rest is still to come.
    incomplete: Vec<u8>,
}

impl Decoder {
    fn decode<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, str> {
        if self.incomplete.is_empty() {
            let complete = self.hold_back(piece);
            return String::from_utf8_lossy(complete);
        }
        let mut joined = std::mem::take(&mut self.incomplete);
        joined.extend_from_slice(piece);
        let complete = self.hold_back(&joined);
        Cow::Owned(String::from_utf8_lossy(complete).into_owned())
    }

    fn finish(&self) -> &'static str {
        if self.incomplete.is_empty() { "" } else { "\u{FFFD}" }
    }

    /// Keeps a character that is not complete at the end of `bytes` for later, and gives what is before it.
    fn hold_back<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        // A character has up to four bytes, so one that is incomplete has begun in the last three.
        let earliest = bytes.len().saturating_sub(3);
        let begins = (earliest..bytes.len()).find(|at| {
            std::str::from_utf8(&bytes[*at..])
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        });
        let (complete, incomplete) = bytes.split_at(begins.unwrap_or(bytes.len()));
        self.incomplete = incomplete.to_vec();
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However the bytes are cut, the text is the same.
        #[test]
        fn pieces_make_the_same_text_as_the_whole(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..6),
                    "[aäß€🦀]{0,3}".prop_map(String::into_bytes),
                    prop::sample::select(vec![vec![0xE2], vec![0x82], vec![0xAC], vec![0xF0, 0x9F], vec![0xA6, 0x80]]),
                ],
                0..20,
            )
        ) {
            let mut decoder = Decoder::default();
            let mut text = String::new();
            for piece in &pieces {
                text.push_str(&decoder.decode(piece));
                prop_assert!(decoder.incomplete.len() <= 3);
            }
            text.push_str(decoder.finish());
            let whole = pieces.concat();
            prop_assert_eq!(text, String::from_utf8_lossy(&whole));
        }
    }

    #[tokio::test]
    async fn the_end_of_a_long_stderr_is_kept() {
        let long = [vec![b'a'; 3 * TAIL_SIZE], b"the end".to_vec()].concat();
        let tail = keep_tail(Some(long.as_slice())).await;
        assert_eq!(tail.len(), TAIL_SIZE);
        assert!(tail.ends_with(b"the end"));
    }
}

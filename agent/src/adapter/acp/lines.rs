//! What goes over an agent's standard streams: a JSON message a line each way, and words for people on stderr.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Sink, Stream, sink, stream};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest message that is taken, in bytes: whole files travel in them.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// How far into a message that is too long its method and its session are looked for, in bytes.
const HEAD: usize = 1024;

/// The method of the message that stands for an update that is left out.
pub(super) const LEFT_OUT: &str = "_hive/left_out";

/// How much of the last words is kept, in bytes.
const TAIL_SIZE: usize = 16 * 1024;

/// How much is read at once, in bytes.
const READ_SIZE: usize = 64 * 1024;

/// The last that an agent said for people: on stderr, and what is no message on stdout.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<Vec<u8>>>);

impl LastWords {
    fn push(&self, words: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(words);
        let beyond = kept.len().saturating_sub(TAIL_SIZE);
        kept.drain(..beyond);
    }

    pub(super) fn get(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes in stderr until it is closed.
pub(super) async fn keep(pipe: Option<impl AsyncRead + Unpin>, words: LastWords) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; TAIL_SIZE];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        words.push(&buffer[..length]);
    }
}

/// The messages that come. What is no message is left out; for an update that is too long comes a word of ours that it
/// was left out; a message that is too long and that somebody waits for is an error, after which nothing comes.
pub(super) fn incoming(
    pipe: impl AsyncRead + Unpin + Send,
    words: LastWords,
) -> impl Stream<Item = io::Result<String>> + Send {
    let reader = BufReader::with_capacity(READ_SIZE, pipe);
    stream::unfold(Some((reader, words)), |state| async move {
        let (mut reader, words) = state?;
        match next_message(&mut reader, &words).await {
            Ok(Some(line)) => Some((Ok(line), Some((reader, words)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// Takes messages to the agent. One that does not listen any more has ended, or will be found out at its stdout.
pub(super) fn outgoing(pipe: impl AsyncWrite + Unpin + Send) -> impl Sink<String, Error = io::Error> + Send {
    sink::unfold(pipe, |mut pipe, mut line: String| async move {
        line.push('\n');
        if pipe.write_all(line.as_bytes()).await.is_ok() {
            let _ = pipe.flush().await;
        }
        Ok(pipe)
    })
}

async fn next_message(
    reader: &mut BufReader<impl AsyncRead + Unpin>,
    words: &LastWords,
) -> io::Result<Option<String>> {
    loop {
        let Some((line, length)) = next_line(reader).await? else { return Ok(None) };
        if length > MAX_LINE {
            if !is_update(&line) {
                let message = format!("a message of {length} bytes is beyond the {MAX_LINE} that are taken");
                words.push(message.as_bytes());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            tracing::warn!(bytes = length, "an update by the agent is too long and is left out");
            return Ok(Some(left_out(&line, length)));
        }
        if is_message(&line)
            && let Ok(line) = String::from_utf8(line.clone())
        {
            return Ok(Some(line));
        }
        if !line.trim_ascii().is_empty() {
            let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
            tracing::debug!(line = shown, "the agent wrote a line to stdout that is no message");
            words.push(&line);
            words.push(b"\n");
        }
    }
}

/// The next line as far as it fits, and how long it is.
async fn next_line(reader: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok((length > 0).then_some((line, length)));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        length += part.len();
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some((line, length)));
        }
    }
}

/// Whether a line is JSON-RPC, as far as can be told without knowing what it is about.
fn is_message(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message {
        method: Option<IgnoredAny>,
        #[serde(default, deserialize_with = "any")]
        result: bool,
        error: Option<IgnoredAny>,
    }
    /// A result may be null.
    fn any<'de, D: serde::Deserializer<'de>>(it: D) -> Result<bool, D::Error> {
        IgnoredAny::deserialize(it).map(|_| true)
    }
    line.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<Message>(line)
            .is_ok_and(|it| it.method.is_some() || it.result || it.error.is_some())
}

/// The message that stands for an update of so many bytes, with its session where that can be seen.
fn left_out(line: &[u8], length: usize) -> String {
    let head = String::from_utf8_lossy(&line[..line.len().min(HEAD)]);
    let session = head.split_once("\"sessionId\"").and_then(|(_, rest)| {
        let value = rest.trim_start().strip_prefix(':')?.trim_start();
        // The value alone is whole.
        serde_json::Deserializer::from_str(value).into_iter::<String>().next()?.ok()
    });
    let params = json!({"sessionId": session, "bytes": length});
    json!({"jsonrpc": "2.0", "method": LEFT_OUT, "params": params}).to_string()
}

/// Whether a message that did not fit is one that nobody waits for.
fn is_update(line: &[u8]) -> bool {
    let head = &line[..line.len().min(HEAD)];
    head.windows(b"\"session/update\"".len()).any(|it| it == b"\"session/update\"")
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use proptest::prelude::*;

    use super::*;

    async fn read(text: &[u8]) -> (Vec<io::Result<String>>, String) {
        let words = LastWords::default();
        let lines = incoming(text, words.clone()).collect().await;
        (lines, String::from_utf8(words.get()).unwrap())
    }

    #[tokio::test]
    async fn what_is_no_message_is_left_out_and_remembered() {
        let text =
            b"Loading...\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n\n{\"level\":\"info\"}\n{broken\n\
                     {\"jsonrpc\":\"2.0\",\"method\":\"x\"}";
        let (lines, words) = read(text).await;
        let lines: Vec<String> = lines.into_iter().map(Result::unwrap).collect();
        assert_eq!(lines, [r#"{"jsonrpc":"2.0","id":1,"result":null}"#, r#"{"jsonrpc":"2.0","method":"x"}"#]);
        assert_eq!(words, "Loading...\n{\"level\":\"info\"}\n{broken\n");
    }

    #[tokio::test]
    async fn a_long_update_is_left_out_and_another_long_message_is_the_end() {
        let filler = "x".repeat(MAX_LINE);
        let good = "{\"id\":1,\"result\":{}}\n";
        for (params, session) in [
            (format!("{{\"sessionId\": \"a\\nb\",\"update\":\"{filler}\"}}"), json!("a\nb")),
            (format!("{{\"update\":\"{filler}\",\"sessionId\":\"a\"}}"), json!(null)),
        ] {
            let update = format!("{{\"method\":\"session/update\",\"params\":{params}}}");
            let (lines, _) = read(format!("{update}\n{good}").as_bytes()).await;
            let lines: Vec<String> = lines.into_iter().map(Result::unwrap).collect();
            let [told, next] = &lines[..] else { panic!("{}", lines.len()) };
            let told: serde_json::Value = serde_json::from_str(told).unwrap();
            assert_eq!(told["params"], json!({"sessionId": session, "bytes": update.len()}));
            assert_eq!((told["method"].as_str(), next.as_str()), (Some(LEFT_OUT), good.trim_end()));
        }
        let answer = format!("{{\"id\":1,\"result\":\"{filler}\"}}\n");
        let (lines, _) = read(format!("{answer}{good}").as_bytes()).await;
        assert!(lines.len() == 1 && lines[0].is_err());
    }

    #[test]
    fn the_last_words_are_bounded() {
        let words = LastWords::default();
        words.push(&vec![b'a'; 3 * TAIL_SIZE]);
        words.push(b"the end");
        assert!(words.get().len() == TAIL_SIZE && words.get().ends_with(b"the end"));
    }

    proptest! {
        /// Whatever an agent writes, and in whatever pieces it comes: messages are JSON, nothing else is lost, and the
        /// pieces do not matter.
        #[test]
        fn the_pieces_do_not_matter(
            lines in prop::collection::vec(line(), 0..8), cuts in prop::collection::vec(0_usize..300, 0..8),
        ) {
            let bytes = lines.concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = |pipe: Box<dyn AsyncRead + Unpin + Send>| runtime.block_on(async {
                let words = LastWords::default();
                let lines: Vec<_> = incoming(pipe, words.clone()).map(Result::unwrap).collect().await;
                (lines, words.get())
            });
            let whole = read(Box::new(std::io::Cursor::new(bytes.clone())));
            prop_assert!(whole.0.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces: Box<dyn AsyncRead + Unpin + Send> = Box::new(tokio::io::empty());
            let mut from = 0;
            for to in cuts.into_iter().chain([bytes.len()]) {
                pieces = Box::new(pieces.chain(std::io::Cursor::new(bytes[from..to].to_vec())));
                from = to;
            }
            prop_assert_eq!(read(pieces), whole);
        }
    }

    /// A line of an agent: a message, something like one, or anything.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![
            Just("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}".to_owned()),
            Just("{\"method\":\"session/update\",\"params\":{}}".to_owned()),
            "[{}\\[\\]\":,a-z ]{0,20}",
            "\\{\"(method|result|error)\":(null|1|\"\\PC{0,4}\")[},]{0,2}",
        ];
        let bytes = prop_oneof![text.prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..20)];
        (bytes, prop_oneof![Just("\n"), Just("\r\n"), Just("")])
            .prop_map(|(bytes, end)| [&bytes[..], end.as_bytes()].concat())
    }
}

//! Server-sent events, as far as chat completions use them: the data of each event, bounded.

/// The most bytes of one event. Servers send a few words in each.
pub(super) const MAX_EVENT: usize = 4 << 20;

/// An event that does not end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes a stream apart, however it is cut into chunks.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The line that is not whole yet.
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// Whether the last byte was a CR, whose LF may follow.
    after_cr: bool,
    is_past_the_start: bool,
}

impl Events {
    /// Takes in more of the stream: the data of the events that it completes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            if self.line.len() + self.data.as_ref().map_or(0, Vec::len) > MAX_EVENT {
                return Err(TooLong);
            }
            let Some(end) = end else { break };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            events.extend(self.end_line());
        }
        Ok(events)
    }

    /// The event that the stream's end leaves without the empty line that should follow it.
    pub(super) fn end(mut self) -> Option<String> {
        self.end_line().or_else(|| self.end_line())
    }

    /// Takes in the line, which is whole now: the event's data if it ends one.
    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if !self.is_past_the_start => rest,
            Some(_) | None => &line,
        };
        self.is_past_the_start = true;
        if line.is_empty() {
            return self.data.take().map(|data| String::from_utf8_lossy(&data).into_owned());
        }
        let value = line.strip_prefix(b"data:").or_else(|| (line == b"data").then_some(b""));
        if let Some(value) = value {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            if let Some(data) = &mut self.data {
                data.push(b'\n');
                data.extend_from_slice(value);
            } else {
                self.data = Some(value.to_vec());
            }
        }
        // All else is a comment or says what chat completions do not need to know.
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut stream = Events::default();
        let mut events: Vec<String> = chunks.iter().flat_map(|chunk| stream.feed(chunk).unwrap()).collect();
        events.extend(stream.end());
        events
    }

    #[test]
    fn events_are_read_whatever_their_line_ends() {
        let text = ": a comment\n\nevent: x\ndata: one\ndata:two\n\ndata\n\nid: 7\ndata:  {\"a\": 1}\n\n";
        for end in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', end);
            assert_eq!(events(&[text.as_bytes()]), ["one\ntwo", "", " {\"a\": 1}"], "{end:?}");
        }
        assert_eq!(events(&[b"\xef\xbb\xbfdata: x\n\n"]), ["x"]);
        assert_eq!(events(&[b"<html>\n<p>\n"]), Vec::<String>::new());
    }

    #[test]
    fn an_event_may_lack_its_last_line_ends() {
        assert_eq!(events(&[b"data: [DONE]"]), ["[DONE]"]);
        assert_eq!(events(&[b"data: [DONE]\n"]), ["[DONE]"]);
    }

    #[test]
    fn what_does_not_end_is_not_kept() {
        let mut stream = Events::default();
        let chunk = vec![b'x'; MAX_EVENT / 4 + 1];
        let results: Vec<_> = (0..4).map(|_| stream.feed(&chunk)).collect();
        assert_eq!(results, [Ok(vec![]), Ok(vec![]), Ok(vec![]), Err(TooLong)]);
        let line = [b"data: ".as_slice(), &chunk, b"\n"].concat();
        let mut stream = Events::default();
        assert!((0..4).any(|_| stream.feed(&line) == Err(TooLong)));
    }

    proptest! {
        #[test]
        fn the_chunks_do_not_matter(text in "(data: ?|:|[a-zé\u{feff}\n\r]){0,60}", cuts in prop::collection::vec(0_usize..200, 0..8)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&chunks), events(&[bytes]));
        }
    }
}

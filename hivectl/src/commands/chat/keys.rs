//! The keys of a terminal as they are pressed. crossterm's own reader forgets what a terminal hands over in more than a
//! kilobyte at once, as when much is pasted, until the next key.

use std::io::Read as _;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::error::{Exit, Failure};

/// After so long the Escape key was meant, and not the beginning of what another key sends.
const ESCAPE: Duration = Duration::from_millis(50);
/// What begins and ends what is pasted.
const PASTE: &[u8] = b"200";
const PASTE_END: &[u8] = b"\x1b[201~";

/// What happens at the terminal.
pub(super) struct Keys {
    bytes: mpsc::UnboundedReceiver<Vec<u8>>,
    resized: Signal,
    decoder: Decoder,
}

impl Keys {
    /// Begins to read. That is done in a thread of its own, which nothing waits for: a terminal cannot be asked to stop
    /// reading.
    pub(super) fn listen() -> Result<Self, Failure> {
        let trouble = |error| Failure::new(Exit::Failed, format!("signals cannot be heard: {error}"));
        let resized = signal(SignalKind::window_change()).map_err(trouble)?;
        let (send, bytes) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut read = [0; 4096];
            while let Ok(length @ 1..) = std::io::stdin().lock().read(&mut read) {
                if send.send(read[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { bytes, resized, decoder: Decoder::default() })
    }

    /// The next event; none when the terminal is gone. May be dropped and called again without losing anything.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready() {
                return Some(event);
            }
            let bytes = tokio::select! {
                bytes = self.bytes.recv() => bytes?,
                Some(()) = self.resized.recv() => return Some(Event::Resize(0, 0)),
                () = sleep(ESCAPE), if self.decoder.may_be_whole() => {
                    match self.decoder.as_it_is() {
                        Some(event) => return Some(event),
                        None => continue,
                    }
                }
            };
            self.decoder.bytes.extend(bytes);
        }
    }

    /// The next one, if it is there already.
    pub(super) fn ready(&mut self) -> Option<Event> {
        while let Ok(bytes) = self.bytes.try_recv() {
            self.decoder.bytes.extend(bytes);
        }
        self.decoder.next()
    }
}

/// Makes keys of bytes.
#[derive(Debug, Default)]
struct Decoder {
    bytes: Vec<u8>,
    /// Whether what comes is pasted.
    pastes: bool,
}

/// What the first bytes are.
enum Found {
    /// An event of so many bytes, or nothing that means anything.
    Event(Option<Event>, usize),
    /// The beginning of what is pasted.
    Paste(usize),
    /// More is needed to tell.
    Part,
}

impl Decoder {
    /// The next whole event.
    fn next(&mut self) -> Option<Event> {
        loop {
            if self.pastes {
                let end = self.bytes.windows(PASTE_END.len()).position(|bytes| bytes == PASTE_END)?;
                let text = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
                self.bytes.drain(..end + PASTE_END.len());
                self.pastes = false;
                return Some(Event::Paste(text));
            }
            match find(&self.bytes) {
                Found::Part => return None,
                Found::Paste(length) => {
                    self.bytes.drain(..length);
                    self.pastes = true;
                }
                Found::Event(event, length) => {
                    self.bytes.drain(..length);
                    if event.is_some() {
                        return event;
                    }
                }
            }
        }
    }

    /// Whether what is there may be all of a key.
    fn may_be_whole(&self) -> bool {
        !self.pastes && !self.bytes.is_empty()
    }

    /// The key that the bytes are if no more follow.
    fn as_it_is(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.bytes);
        match bytes.as_slice() {
            [0x1b] => Some(key(KeyCode::Esc, KeyModifiers::NONE)),
            [0x1b, byte @ (b'[' | b'O')] => Some(key(KeyCode::Char((*byte).into()), KeyModifiers::ALT)),
            _ => None,
        }
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

fn find(bytes: &[u8]) -> Found {
    match bytes {
        [] | [0x1b] | [0x1b, b'[' | b'O'] => Found::Part,
        [0x1b, b'[', rest @ ..] => sequence(rest),
        [0x1b, b'O', end, ..] => Found::Event(arrow(*end, KeyModifiers::NONE), 3),
        [0x1b, 0x1b, ..] => Found::Event(Some(key(KeyCode::Esc, KeyModifiers::NONE)), 1),
        [0x1b, rest @ ..] => match find(rest) {
            Found::Event(Some(Event::Key(mut pressed)), length) => {
                pressed.modifiers |= KeyModifiers::ALT;
                Found::Event(Some(Event::Key(pressed)), length + 1)
            }
            other => other,
        },
        [byte @ (0..=0x1f | 0x7f), ..] => Found::Event(Some(control(*byte)), 1),
        [first, ..] => character(bytes, *first),
    }
}

fn control(byte: u8) -> Event {
    match byte {
        b'\r' => key(KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => key(KeyCode::Tab, KeyModifiers::NONE),
        0x7f => key(KeyCode::Backspace, KeyModifiers::NONE),
        0 => key(KeyCode::Char(' '), KeyModifiers::CONTROL),
        1..=26 => key(KeyCode::Char((byte - 1 + b'a').into()), KeyModifiers::CONTROL),
        _ => key(KeyCode::Char((byte.wrapping_sub(0x1c).wrapping_add(b'4')).into()), KeyModifiers::CONTROL),
    }
}

fn character(bytes: &[u8], first: u8) -> Found {
    let length = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let Some(bytes) = bytes.get(..length) else { return Found::Part };
    match std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) {
        Some(c) => Found::Event(Some(key(KeyCode::Char(c), KeyModifiers::NONE)), length),
        None => Found::Event(None, 1),
    }
}

/// What follows `ESC [`: numbers, then a character that says what they are for.
fn sequence(rest: &[u8]) -> Found {
    let Some(end) = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) else { return Found::Part };
    let length = end + 3;
    if &rest[..end] == PASTE && rest[end] == b'~' {
        return Found::Paste(length);
    }
    let number = |text: &[u8]| -> u32 {
        let digits: Vec<u8> = text.iter().copied().take_while(u8::is_ascii_digit).collect();
        String::from_utf8_lossy(&digits).parse().unwrap_or(1)
    };
    let numbers: Vec<u32> = rest[..end].split(|byte| *byte == b';').map(number).collect();
    let at = |index: usize| numbers.get(index).copied().unwrap_or(1);
    let event = match (rest[end], at(0)) {
        (b'~', 1 | 7) => Some(key(KeyCode::Home, modifiers(at(1)))),
        (b'~', 4 | 8) => Some(key(KeyCode::End, modifiers(at(1)))),
        (b'~', 3) => Some(key(KeyCode::Delete, modifiers(at(1)))),
        (b'~', 27) => other(at(2), modifiers(at(1))),
        (b'u', code) => other(code, modifiers(at(1))),
        (end, _) => arrow(end, modifiers(at(1))),
    };
    Found::Event(event, length)
}

fn arrow(end: u8, modifiers: KeyModifiers) -> Option<Event> {
    let code = match end {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'M' => KeyCode::Enter,
        _ => return None,
    };
    Some(key(code, modifiers))
}

/// A key that is told by its character's number.
fn other(code: u32, modifiers: KeyModifiers) -> Option<Event> {
    let code = match char::from_u32(code)? {
        '\r' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\u{1b}' => KeyCode::Esc,
        '\u{7f}' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    };
    Some(key(code, modifiers))
}

fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let all = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    let set = all.iter().filter(|(bit, _)| bits & bit != 0);
    set.fold(KeyModifiers::NONE, |sum, (_, modifier)| sum | *modifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys in short: `C-c`, `A-enter`, `"pasted"`.
    fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Vec<String> {
        decoder.bytes.extend(bytes);
        std::iter::from_fn(|| decoder.next()).map(|event| show(&event)).collect()
    }

    fn show(event: &Event) -> String {
        match event {
            Event::Key(KeyEvent { code, modifiers, .. }) => {
                let mut text = String::new();
                for (modifier, mark) in
                    [(KeyModifiers::CONTROL, "C-"), (KeyModifiers::ALT, "A-"), (KeyModifiers::SHIFT, "S-")]
                {
                    text.push_str(if modifiers.contains(modifier) { mark } else { "" });
                }
                match code {
                    KeyCode::Char(c) => text + &c.to_string(),
                    code => text + &code.to_string().to_lowercase(),
                }
            }
            Event::Paste(pasted) => format!("{pasted:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn bytes_are_keys() {
        let mut decoder = Decoder::default();
        let all = decode(&mut decoder, "aß漢\r\n\t\x7f\x08\x03\x1f".as_bytes());
        assert_eq!(all, ["a", "ß", "漢", "enter", "C-j", "tab", "backspace", "C-h", "C-c", "C-7"]);
        let all =
            decode(&mut decoder, b"\x1b[A\x1bOB\x1b[1;5C\x1b[1;3D\x1b[3~\x1b[H\x1b[4~\x1b\r\x1bb\x1b\x1b[A");
        assert_eq!(
            all,
            ["up", "down", "C-right", "A-left", "del", "home", "end", "A-enter", "A-b", "esc", "up"]
        );
        // What newer terminals send, and what nobody knows.
        let all = decode(&mut decoder, b"\x1b[13;2u\x1b[27;5;13~\x1b[?62c\x1b[99~\xffx");
        assert_eq!(all, ["S-enter", "C-enter", "x"]);
    }

    #[test]
    fn what_comes_in_parts_is_put_together() {
        let mut decoder = Decoder::default();
        for byte in "漢".as_bytes().iter().chain(b"\x1b[1;5").take(8) {
            let keys = decode(&mut decoder, &[*byte]);
            assert!(keys.is_empty() || keys == ["漢"], "{keys:?}");
        }
        assert_eq!(decode(&mut decoder, b"D"), ["C-left"]);
        assert!(decode(&mut decoder, b"\x1b").is_empty());
        assert!(decoder.may_be_whole());
        assert_eq!(decoder.as_it_is().map(|event| show(&event)).as_deref(), Some("esc"));
        assert!(!decoder.may_be_whole());
    }

    #[test]
    fn what_is_pasted_is_one_event_however_long() {
        let mut decoder = Decoder::default();
        assert!(decode(&mut decoder, b"\x1b[200~one\r").is_empty());
        assert!(!decoder.may_be_whole());
        assert!(decode(&mut decoder, "x".repeat(5000).as_bytes()).is_empty());
        let pasted = decode(&mut decoder, b"\x1b[A\x1b[201~!");
        assert_eq!(pasted[0].len(), "\"one\\r".len() + 5000 + "\\u{1b}[A\"".len());
        assert_eq!(pasted[1], "!");
    }
}

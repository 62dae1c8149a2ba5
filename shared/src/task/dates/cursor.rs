//! A place in a text that is read from left to right.

/// The text that is still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    /// Reads with `read`, or stays where it is if that gives nothing.
    pub(super) fn try_read<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut ahead = *self;
        let value = read(&mut ahead)?;
        *self = ahead;
        Some(value)
    }

    /// Whether the next character is such a one.
    pub(super) fn at(&self, is: impl Fn(char) -> bool) -> bool {
        self.rest.chars().next().is_some_and(is)
    }

    pub(super) fn next_char(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Passes the next character if it is such a one, and tells whether it did.
    pub(super) fn eat(&mut self, is: impl Fn(char) -> bool) -> bool {
        let is_next = self.at(is);
        if is_next {
            self.next_char();
        }
        is_next
    }

    /// Passes all such characters, and tells whether there were any.
    pub(super) fn skip(&mut self, is: impl Fn(char) -> bool) -> bool {
        let rest = self.rest.trim_start_matches(is);
        let any = rest.len() < self.rest.len();
        self.rest = rest;
        any
    }

    pub(super) fn skip_spaces(&mut self) -> bool {
        self.skip(char::is_whitespace)
    }

    /// The letters that follow, of the word that a name of a zone can be (`America/New_York`) with `is`.
    pub(super) fn word(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// The ASCII letters that follow.
    pub(super) fn letters(&mut self) -> &'a str {
        self.word(|c| c.is_ascii_alphabetic())
    }

    /// A number of so many digits; it takes as many as there are, up to `most`.
    pub(super) fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (number, rest) = self.rest.split_at(count);
        self.rest = rest;
        number.parse().ok()
    }

    /// The digits of a fraction, in billionths; those beyond the ninth are dropped.
    pub(super) fn fraction(&mut self) -> Option<u32> {
        let digits = self.word(|c| c.is_ascii_digit());
        let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
        (!digits.is_empty()).then(|| nine.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }
}

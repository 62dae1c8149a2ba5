//! What a turn has said so far, so that an answer that comes once more is not shown twice.

/// The text of one answer.
#[derive(Debug, Default)]
pub struct Said {
    text: String,
    /// While the answer comes once more: how much of the text it has come to.
    again: Option<usize>,
}

/// What more of an answer came to.
#[derive(Debug, PartialEq, Eq)]
pub enum More {
    /// This is new.
    New(String),
    /// The answer is another than was thought: this is all of it.
    Other(String),
}

impl Said {
    /// The whole answer follows once more (see `hive_shared::chat::notice::REPLAYED`).
    pub fn comes_again(&mut self) {
        self.again = Some(0);
    }

    /// Takes what came.
    pub fn take(&mut self, content: &str) -> More {
        let Some(at) = self.again else {
            self.text.push_str(content);
            return More::New(content.to_owned());
        };
        let known = &self.text[at..];
        if known.starts_with(content) {
            self.again = Some(at + content.len());
            return More::New(String::new());
        }
        self.again = None;
        if let Some(new) = content.strip_prefix(known) {
            self.text.push_str(new);
            return More::New(new.to_owned());
        }
        self.text.truncate(at);
        self.text.push_str(content);
        More::Other(self.text.clone())
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &str) -> More {
        More::New(text.to_owned())
    }

    #[test]
    fn what_comes_again_is_new_behind_what_was_said() {
        let mut said = Said::default();
        assert_eq!(said.take("one "), new("one "));
        assert_eq!(said.take("two"), new("two"));
        said.comes_again();
        assert_eq!(said.take("on"), new(""));
        assert_eq!(said.take("e two three"), new(" three"));
        assert_eq!(said.take(" four"), new(" four"));
        assert_eq!(said.text(), "one two three four");
        // It may end before what was said.
        said.comes_again();
        assert_eq!(said.take("one"), new(""));
        assert_eq!(said.text(), "one two three four");
    }

    #[test]
    fn another_answer_is_shown_as_a_whole() {
        let mut said = Said::default();
        let _first = said.take("one two");
        said.comes_again();
        assert_eq!(said.take("one "), new(""));
        assert_eq!(said.take("three"), More::Other("one three".to_owned()));
        assert_eq!(said.take("!"), new("!"));
    }
}

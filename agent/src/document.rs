//! What was said, and the response document that it is the text of, in parts that are shared and not copied: an answer
//! may be hundreds of megabytes, and the ledger, the outbox and those who listen all want it when it ends.

use std::sync::Arc;

/// A text that its speaker may still have, from some place of it on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    all: Arc<String>,
    begin: usize,
}

impl Said {
    /// `all` from the byte `begin` on.
    pub fn from(all: Arc<String>, begin: usize) -> Self {
        Self { all, begin }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.all[self.begin..]
    }
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { all: Arc::new(text), begin: 0 }
    }
}

/// A document in its parts, which together are its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    head: String,
    said: Said,
    note: String,
}

impl Document {
    /// A head, what was said, and a note of ours about it.
    pub fn new(head: String, said: Said, note: String) -> Self {
        Self { head, said, note }
    }

    /// The parts, in their order.
    pub fn parts(&self) -> [&str; 3] {
        [&self.head, self.said.as_str(), &self.note]
    }

    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }

    /// Whether these are its bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        let rest = self.parts().iter().try_fold(bytes, |rest, part| rest.strip_prefix(part.as_bytes()));
        rest.is_some_and(<[u8]>::is_empty)
    }
}

/// One that was put together before.
impl From<String> for Document {
    fn from(text: String) -> Self {
        Self { head: text, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_its_parts() {
        let said = Said::from(Arc::new("old new".to_owned()), 4);
        let document = Document::new("head ".into(), said, " note".into());
        assert_eq!((document.parts().concat().as_str(), document.size()), ("head new note", 13));
        assert!(document.is(b"head new note"));
        for other in ["head new not", "head new note.", "", "head old note"] {
            assert!(!document.is(other.as_bytes()), "{other}");
        }
        assert_eq!(Document::from("whole".to_owned()).parts().concat(), "whole");
    }
}

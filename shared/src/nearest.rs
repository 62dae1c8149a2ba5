//! What somebody meant who wrote a word that is not known.

/// Words less alike than this are not what was meant.
const ALIKE: f64 = 0.6;

/// The known word that is most like this one, however unlike it is.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().max_by(|a, b| likeness(word, a).total_cmp(&likeness(word, b)))
}

/// The known word that was probably meant, if there is one.
pub fn probable<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(word, known).filter(|found| likeness(word, found) >= ALIKE)
}

fn likeness(word: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(word, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["status", "stop", "tasks", "cancel", "retry"];
        assert_eq!(probable("stauts", known), Some("status"));
        assert_eq!(probable("cancle", known), Some("cancel"));
        assert_eq!(probable("restart", known), None);
        assert!(nearest("xyz", known).is_some() && nearest("xyz", []).is_none());
    }
}

//! Who types ahead must not answer by accident what has only just appeared.

use std::time::Duration;

use hive_shared::ids::ItemId;
use tokio::time::Instant;

/// How long a request must have been seen before a key answers it.
const TOO_SOON: Duration = Duration::from_millis(300);

/// Since when the request is seen that a key would answer.
#[derive(Debug, Default)]
pub(super) struct Haste {
    seen: Option<(ItemId, Instant)>,
}

impl Haste {
    /// The request is on the screen that is answered next, if there is one.
    pub(super) fn shows(&mut self, request: Option<&ItemId>, now: Instant) {
        if self.seen.as_ref().map(|(id, _)| id) != request {
            self.seen = request.map(|id| (id.clone(), now));
        }
    }

    /// Whether nobody can have read it yet.
    pub(super) fn is_too_soon(&self, request: &ItemId, now: Instant) -> bool {
        self.seen.as_ref().is_none_or(|(id, since)| id != request || now < *since + TOO_SOON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_only_by_who_can_have_read_it() {
        let [first, second] = ["CTL-1", "CTL-2"].map(|id| ItemId::parse(id).unwrap());
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut haste = Haste::default();
        assert!(haste.is_too_soon(&first, at(0)), "it is not on the screen yet");
        haste.shows(Some(&first), at(0));
        haste.shows(Some(&first), at(200));
        assert_eq!([299, 300].map(|millis| haste.is_too_soon(&first, at(millis))), [true, false]);
        // The next one has a time of its own, whichever key answered the first.
        assert!(haste.is_too_soon(&second, at(400)));
        haste.shows(Some(&second), at(400));
        assert_eq!([699, 700].map(|millis| haste.is_too_soon(&second, at(millis))), [true, false]);
        haste.shows(None, at(800));
        assert!(haste.is_too_soon(&second, at(9_000)));
    }
}

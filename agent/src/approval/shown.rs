//! As much of a request as a person can read and a record holds: an agent may say anything, and any amount of it.

use hive_shared::chat::ApprovalOption;

use crate::adapter::Question;
use crate::untrusted::cut;

/// The most bytes of a title.
const MAX_TITLE: usize = 2_000;
/// The most bytes of a kind.
const MAX_KIND: usize = 100;
/// The most places that are named.
const MAX_PLACES: usize = 50;
/// The most bytes of one of them, or of an option's name.
const MAX_NAME: usize = 1_000;
/// The most options.
const MAX_OPTIONS: usize = 20;
/// The most bytes of an option's id, which is of no use if it is cut.
const MAX_ID: usize = 200;

/// Cuts a request to what is shown of it. Of its options those are left that can be chosen.
pub fn shown(question: Question) -> Question {
    let Question { key, title, kind, locations, more_locations, options } = question;
    let more_locations = more_locations + locations.len().saturating_sub(MAX_PLACES);
    let can_be_chosen = |option: &ApprovalOption| !option.id.is_empty() && option.id.len() <= MAX_ID;
    Question {
        key,
        title: cut(&title, MAX_TITLE),
        kind: kind.map(|kind| cut(&kind, MAX_KIND)),
        locations: locations.iter().take(MAX_PLACES).map(|place| cut(place, MAX_NAME)).collect(),
        more_locations,
        options: options
            .into_iter()
            .filter(can_be_chosen)
            .take(MAX_OPTIONS)
            .map(|option| ApprovalOption {
                kind: cut(&option.kind, MAX_KIND),
                name: cut(&option.name, MAX_NAME),
                id: option.id,
            })
            .collect(),
    }
}

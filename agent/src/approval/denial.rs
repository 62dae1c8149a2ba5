//! A person can always say no, whatever an agent offers.

use hive_shared::chat::ApprovalOption;

use super::choose;

/// The id of the option that is ours.
const DENY: &str = "deny";

/// Gives options one that denies this once, if there is none, and says which that is. The agent does not know it: it is
/// told that nothing was chosen.
pub fn with_denial(mut options: Vec<ApprovalOption>) -> (Vec<ApprovalOption>, Option<String>) {
    if choose(&options, false).is_some() {
        return (options, None);
    }
    let is_free = |id: &String| options.iter().all(|option| option.id != *id);
    let mut names = std::iter::once(DENY.to_owned()).chain((2..).map(|n| format!("{DENY}-{n}")));
    let id = names.find(is_free);
    options.extend(id.iter().map(|id| ApprovalOption {
        id: id.clone(),
        kind: "reject_once".to_owned(),
        name: "Deny".to_owned(),
    }));
    (options, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(options: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let option =
            |&(id, kind): &(&str, &str)| ApprovalOption { id: id.into(), kind: kind.into(), name: id.into() };
        let (options, denial) = with_denial(options.iter().map(option).collect());
        assert!(choose(&options, false).is_some());
        (options.into_iter().map(|option| option.id).collect(), denial)
    }

    #[test]
    fn there_is_always_a_way_to_deny_for_once() {
        assert_eq!(denied(&[("no", "reject_once")]), (vec!["no".into()], None));
        assert_eq!(
            denied(&[("yes", "allow_once")]),
            (vec!["yes".into(), "deny".into()], Some("deny".into()))
        );
        let (ids, denial) = denied(&[("deny", "reject_always"), ("deny-2", "allow_once")]);
        assert_eq!((ids.len(), denial.as_deref()), (3, Some("deny-3")));
    }
}

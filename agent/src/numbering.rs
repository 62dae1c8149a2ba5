//! Numbers behind names that are taken.

/// The first number from 2 on that is not taken, where those that are taken follow each other; else one that is not taken
/// and comes right after one that is. Of n taken numbers it asks for some 2·log₂ n, so that the thousandth of a name
/// costs no more than the tenth.
pub(crate) fn first_free<E>(mut is_taken: impl FnMut(u64) -> Result<bool, E>) -> Result<u64, E> {
    let (mut taken, mut free, mut step) = (1, 2, 1);
    while is_taken(free)? {
        (taken, free, step) = (free, free + step, step * 2);
    }
    while free - taken > 1 {
        let middle = taken.midpoint(free);
        if is_taken(middle)? {
            taken = middle;
        } else {
            free = middle;
        }
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn asked(is_taken: impl Fn(u64) -> bool) -> (u64, usize) {
        let mut times = 0;
        let found = first_free(|number| {
            times += 1;
            Ok::<_, Infallible>(is_taken(number))
        });
        (found.unwrap(), times)
    }

    #[test]
    fn the_first_is_found_in_few_steps() {
        assert_eq!(asked(|_| false), (2, 1));
        for last in [2, 3, 4, 5, 100, 40_000] {
            let (found, times) = asked(|number| number <= last);
            assert_eq!(found, last + 1);
            assert!(times <= 2 * last.ilog2() as usize + 3, "{times} for {last}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_free_and_follows_what_is_not(taken: BTreeSet<u8>) {
            let is_taken = |number: u64| u8::try_from(number).is_ok_and(|number| taken.contains(&number));
            let (found, _) = asked(is_taken);
            prop_assert!(!is_taken(found) && (found == 2 || is_taken(found - 1)));
        }
    }
}

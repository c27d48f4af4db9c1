//! How much of each file: water that is poured over files of different height.

/// What a file asks for, in tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// All of it.
    pub(super) tokens: usize,
    /// Less than this of a longer file is not worth its place.
    pub(super) least: usize,
}

/// What the heading and the fence of a file cost.
const FRAME_TOKENS: usize = 24;

/// What each file gets, in the order in which they are wished for; the files behind the end of
/// the list get nothing.
///
/// As many as fit with the least that makes sense are taken from the front; then all of them get
pub(super) fn shares(wishes: &[Wish], budget: usize) -> Vec<usize> {
    let mut spent = 0;
    let fitting = wishes.iter().take_while(|wish| {
        spent += wish.least.min(wish.tokens) + FRAME_TOKENS;
        spent <= budget
    });
    let count = fitting.count().max(1).min(wishes.len());
    let taken = wishes.get(..count).unwrap_or_default();
    let room = budget.saturating_sub(count * FRAME_TOKENS);
    let share = |wish: &Wish, level: usize| wish.tokens.min(level.max(wish.least)).min(room);
    let total = |level| taken.iter().map(|wish| share(wish, level)).sum::<usize>();
    let (mut low, mut high) = (0, room);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if total(middle) <= room {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    taken.iter().map(|wish| share(wish, low)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wish(tokens: usize) -> Wish {
        Wish { tokens, least: 100 }
    }

    #[test]
    fn small_files_are_whole_and_large_ones_share_what_is_left() {
        let shares = shares(&[wish(5000), wish(50), wish(9000), wish(300)], 1500);
        assert_eq!(shares, [527, 50, 527, 300]);
    }

    #[test]
    fn files_for_which_there_is_no_room_get_nothing() {
        assert_eq!(shares(&[wish(500); 10], 372), [100, 100, 100]);
        assert_eq!(shares(&[wish(500)], 60), [36]);
        assert!(shares(&[], 100).is_empty());
    }

    proptest! {
        #[test]
        fn no_more_is_given_than_there_is_and_none_gets_more_than_it_has(
            files in prop::collection::vec((0_usize..5000, 1_usize..800), 1..60),
            budget in 100_usize..20_000,
        ) {
            let wishes: Vec<Wish> = files.iter().map(|&(tokens, least)| Wish { tokens, least }).collect();
            let shares = shares(&wishes, budget);
            let given: usize = shares.iter().map(|it| it + FRAME_TOKENS).sum();
            prop_assert!(given <= budget);
            for (share, wish) in shares.iter().zip(&wishes) {
                prop_assert!(*share <= wish.tokens);
                prop_assert!(*share == wish.tokens || *share >= wish.least || shares.len() == 1);
            }
        }
    }
}

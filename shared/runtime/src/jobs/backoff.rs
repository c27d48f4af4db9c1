//! Pauses between tries.

use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

/// Tries of a piece within one claim.
const TRIES: u32 = 4;
/// The third is begun no later than this: a provider that lets everybody wait is not waited for four
/// times. The second always is, however long the first was silent: one that hung may have been alone.
const TRYING: Duration = Duration::from_mins(2);
/// The longest that a provider may ask to be left alone before the piece is given up.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// Whether a piece is tried once more after so many tries, which took so long, and this pause.
pub(super) fn is_tried_again(tries: u32, took: Duration, wait: Duration) -> bool {
    tries < TRIES && (tries == 1 || took < TRYING) && wait <= LONGEST_WAIT
}

/// The pause before the next try, `tries` having failed: doubled each time up to `longest`, of
/// which a random half is waited, so that those who failed together do not come back together.
pub fn pause(tries: u32, first: Duration, longest: Duration) -> Duration {
    let whole = first.saturating_mul(1 << tries.min(16)).min(longest);
    let mut byte = [0];
    // Without randomness it is the longest pause, which is harmless.
    let random = SystemRandom::new()
        .fill(&mut byte)
        .map_or(255, |()| byte[0]);
    whole.mul_f64(0.5 + f64::from(random) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_four_times_and_not_for_ever() {
        let seconds = Duration::from_secs;
        for (tries, took, wait, again) in [
            (1, 0, 1, true),
            (3, 100, 20, true),
            (4, 10, 1, false),
            (1, 0, 120, true),
            (1, 0, 121, false),
            // It was silent until the call's own deadline, once and twice.
            (1, 240, 1, true),
            (2, 480, 1, false),
        ] {
            let is_tried = is_tried_again(tries, seconds(took), seconds(wait));
            assert_eq!(is_tried, again, "{tries} tries in {took} s, {wait} s");
        }
    }

    #[test]
    fn pauses_grow_to_their_limit_and_are_never_less_than_half() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(30));
        for (tries, whole) in [(0, 1), (1, 2), (4, 16), (5, 30), (40, 30)] {
            let pause = pause(tries, first, longest).as_secs_f64();
            let whole = f64::from(whole);
            assert!(
                (whole / 2.0..=whole).contains(&pause),
                "{tries}: {pause} of {whole}"
            );
        }
    }
}

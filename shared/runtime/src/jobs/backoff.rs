//! Pauses between tries.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

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

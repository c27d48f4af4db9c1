//! How often and when a call is made again.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header::RETRY_AFTER};
use time::{PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

const FIRST: Duration = Duration::from_millis(200);
const FACTOR: f64 = 1.618;
const MOST: u32 = 5;

/// Pauses between attempts: 200 ms × 1.618ⁿ, each by chance half as long to half as long again, from
/// the first one on: a hundred instances that start together must not come back together.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    made: u32,
}

impl Backoff {
    /// `None` when it was tried often enough. `asked` is what the other side asked to wait.
    pub(crate) fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.pause_by_chance(asked, chance())
    }

    fn pause_by_chance(&mut self, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        if self.made == MOST {
            return None;
        }
        let own = FIRST.mul_f64(FACTOR.powi(self.made.cast_signed()) * (0.5 + chance));
        self.made += 1;
        Some(match asked {
            // Those who were told the same second come a little apart, and never too early.
            Some(asked) => own.max(asked.mul_f64(1.0 + chance / 10.0)),
            None => own,
        })
    }
}

/// Anything from 0 up to 1, different each time. It need not be hard to guess.
fn chance() -> f64 {
    let number = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(number).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

/// A pause that is a little longer or shorter each time.
pub(crate) fn about(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + chance())
}

const HTTP_DATE: &[BorrowedFormatItem<'static>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// What `Retry-After` says, in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        // More than this is no different for anybody who waits, and can be added to any moment.
        return Some(Duration::from_secs(seconds).min(Duration::from_hours(24)));
    }
    let at = PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc();
    Some(SystemTime::from(at).duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_after_five() {
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        while let Some(pause) = backoff.pause_by_chance(None, 0.5) {
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [200, 323, 523, 847, 1370]);
    }

    #[test]
    fn the_first_pause_is_already_by_chance() {
        let firsts: Vec<_> = (0..50)
            .map(|_| Backoff::default().pause(None).unwrap())
            .collect();
        let (least, most) = (firsts.iter().min().unwrap(), firsts.iter().max().unwrap());
        assert!(
            *least >= FIRST / 2 && *most < FIRST * 3 / 2,
            "{least:?} {most:?}"
        );
        assert!(*most > *least + FIRST / 4, "{least:?} {most:?}");
    }

    #[test]
    fn what_google_asks_to_wait_is_waited_and_little_more() {
        let asked = Duration::from_secs(7);
        let pause = Backoff::default().pause(Some(asked)).unwrap();
        assert!(pause >= asked && pause < asked.mul_f64(1.1), "{pause:?}");
        let at_once = Backoff::default().pause(Some(Duration::ZERO)).unwrap();
        assert!(at_once >= FIRST / 2);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, wanted) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            let wanted = wanted.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), wanted, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}

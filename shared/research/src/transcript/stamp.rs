//! Timestamps in a text: `[MM:SS]`, `[H:MM:SS]`, and what models write in their place.

use std::{fmt, ops::Range};

/// Seconds, as `04:05` or `1:02:03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u64);

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(seconds) = self;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            write!(formatter, "{hours}:")?;
        }
        write!(formatter, "{minutes:02}:{seconds:02}")
    }
}

/// A timestamp that was found.
pub(super) struct Found {
    /// Where, brackets included.
    pub(super) place: Range<usize>,
    /// The second that it names; of a span, the first.
    pub(super) at: u64,
}

/// The timestamps of a text in their order.
pub(super) fn stamps(text: &str) -> impl Iterator<Item = Found> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let start = from + rest.find('[')?;
            from = start + 1;
            // As far as brackets around a time reach: an open one costs no look at all the rest.
            let inside = text.as_bytes().iter().skip(from).take(LONGEST + 1);
            let Some(length) = inside.copied().position(|byte| byte == b']') else {
                continue;
            };
            if let Some(at) = text.get(from..from + length).and_then(first_second) {
                from += length + 1;
                return Some(Found {
                    place: start..from,
                    at,
                });
            }
        }
    })
}

/// The longest that brackets around a time, or around a span of time, are.
const LONGEST: usize = 32;

/// `02:03`, `1:02:03`, ` 02:03 - 02:10 `.
fn first_second(inside: &str) -> Option<u64> {
    let mut times = inside.split(['-', '–']);
    let first = time(times.next()?)?;
    times.all(|other| time(other).is_some()).then_some(first)
}

/// The second that a time names: `2:03`, `1:02:03`, `00:02:03.500`.
pub(crate) fn time(text: &str) -> Option<u64> {
    // Of a fraction of a second nothing is said.
    let text = text.trim();
    let text = text.split_once('.').map_or(text, |(whole, _)| whole);
    let parts: Vec<&str> = text.split(':').collect();
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| -> Option<u64> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        (plain && digits.contains(&text.len())).then(|| text.parse().ok())?
    };
    let below_sixty = |text| number(text, 2..=2).filter(|number| *number < 60);
    match parts[..] {
        // Minutes may go on counting behind the hour.
        [minutes, seconds] => Some(number(minutes, 1..=3)? * 60 + below_sixty(seconds)?),
        // Milliseconds, behind another colon.
        [minutes, seconds, thousandths] if thousandths.len() == 3 => {
            number(thousandths, 3..=3)?;
            Some(number(minutes, 1..=3)? * 60 + below_sixty(seconds)?)
        }
        [hours, minutes, seconds] => {
            let minutes = number(hours, 1..=2)? * 60 + below_sixty(minutes)?;
            Some(minutes * 60 + below_sixty(seconds)?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_models_write_them() {
        for (text, second) in [
            ("00:00", Some(0)),
            (" 4:05 ", Some(245)),
            ("75:30", Some(4530)),
            ("1:02:03", Some(3723)),
            ("01:02:03", Some(3723)),
            ("00:01.250", Some(1)),
            ("02:03:456", Some(123)),
            ("00:10 - 00:20", Some(10)),
            ("00:10–00:20", Some(10)),
            ("00:60", None),
            ("1:2", None),
            ("12", None),
            ("00:10 - x", None),
            ("12:34:56:78", None),
            ("-1:00", None),
            ("", None),
        ] {
            assert_eq!(first_second(text), second, "{text}");
        }
    }

    #[test]
    fn brackets_without_end_cost_one_look_each() {
        let open = format!("{}]", "[".repeat(1_000_000));
        assert_eq!(stamps(&open).count(), 0);
        let links = "[text](https://example.com) [[1:00] and [02:00]";
        let found: Vec<u64> = stamps(links).map(|found| found.at).collect();
        assert_eq!(found, [60, 120]);
    }
}

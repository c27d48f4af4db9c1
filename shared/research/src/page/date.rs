//! Days, in the forms that pages write them.

/// Reads a day from a date or a time and gives it as `2026-03-01`.
///
/// Understood are ISO 8601 and what begins like it (`2026-03-01T10:00+01:00`, `20260301`,
/// `2026/3/1`), and dates with the month as an English word (`Sun, 01 Mar 2026`, `March 1, 2026`).
/// `1/3/2026` is not: half of the world would read another month.
pub(super) fn day(text: &str) -> Option<String> {
    let text = text.trim();
    iso(text).or_else(|| with_month(text))
}

fn iso(text: &str) -> Option<String> {
    let digits = |from: usize, length: usize| -> Option<u32> {
        let piece = text.get(from..from + length)?;
        piece
            .bytes()
            .all(|it| it.is_ascii_digit())
            .then(|| piece.parse().ok())?
    };
    let year = digits(0, 4)?;
    let separator = text.get(4..5)?;
    if matches!(separator, "-" | "/" | ".") {
        let (month, rest) = text.get(5..)?.split_once(separator)?;
        let end = rest
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(rest.len());
        return valid(year, month.parse().ok()?, rest.get(..end)?.parse().ok()?);
    }
    let after = text.get(8..9).unwrap_or_default();
    if after.bytes().all(|it| it.is_ascii_digit()) && !after.is_empty() {
        return None;
    }
    valid(year, digits(4, 2)?, digits(6, 2)?)
}

fn with_month(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let (mut year, mut month, mut day) = (None, None, None);
    for word in text
        .split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty())
        .take(8)
    {
        if let Ok(number) = word
            .trim_end_matches(|it: char| it.is_alphabetic())
            .parse::<u32>()
        {
            if (1900..2200).contains(&number) {
                year = year.or(Some(number));
            } else if (1..=31).contains(&number) {
                day = day.or(Some(number));
            }
        } else {
            let word = word.to_ascii_lowercase();
            let found = MONTHS.iter().position(|it| word.starts_with(it));
            month = month.or(found.and_then(|it| u32::try_from(it + 1).ok()));
        }
    }
    valid(year?, month?, day?)
}

fn valid(year: u32, month: u32, day: u32) -> Option<String> {
    ((1900..2200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_are_read_in_the_forms_that_have_one_meaning() {
        for (written, expected) in [
            ("2026-03-01T23:30:00+01:00", Some("2026-03-01")),
            (" 2026-3-1 ", Some("2026-03-01")),
            ("2026/03/01", Some("2026-03-01")),
            ("20260301", Some("2026-03-01")),
            ("20260301T1000Z", Some("2026-03-01")),
            ("Sun, 01 Mar 2026 10:00:00 GMT", Some("2026-03-01")),
            ("March 1st, 2026", Some("2026-03-01")),
            ("1 September 2026", Some("2026-09-01")),
            ("1/3/2026", None),
            ("2026-13-01", None),
            ("1767225600", None),
            ("", None),
            ("ä26-03-01", None),
        ] {
            assert_eq!(day(written).as_deref(), expected, "{written}");
        }
    }
}

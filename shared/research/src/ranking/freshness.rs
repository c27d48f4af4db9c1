//! How new a source is, beside the newest of those found: no clock is needed, and the same sources
//! always have the same order.

use url::Url;

use super::Candidate;

/// A source so many years older than the newest counts half as much.
const HALF_LIFE_YEARS: f64 = 3.0;
/// One of whose age nothing is known.
const UNKNOWN: f64 = 0.5;
/// Years that are believed: what is outside is another number.
const YEARS: std::ops::RangeInclusive<u32> = 1950..=2100;

/// For each source, from 0 to 1.
pub(super) fn freshness(candidates: &[Candidate]) -> Vec<f64> {
    let years: Vec<Option<f64>> = candidates.iter().map(year).collect();
    let newest = years.iter().flatten().copied().fold(f64::MIN, f64::max);
    let fresh = |year: &Option<f64>| {
        year.map_or(UNKNOWN, |year| {
            0.5_f64.powf((newest - year) / HALF_LIFE_YEARS)
        })
    };
    years.iter().map(fresh).collect()
}

/// When it was published, as a year with its part.
fn year(candidate: &Candidate) -> Option<f64> {
    let told = candidate.published.as_deref().and_then(in_text);
    told.or_else(|| in_address(&candidate.url))
}

/// The first year of a date, and the month if it follows: `2026-03-01`, `Mar 2026`, `2026/03`.
fn in_text(date: &str) -> Option<f64> {
    let mut numbers = date
        .split(|it: char| !it.is_ascii_digit())
        .filter_map(|it| it.parse::<u32>().ok());
    let year = numbers.find(|it| YEARS.contains(it))?;
    let month = numbers.next().filter(|it| (1..=12).contains(it));
    Some(f64::from(year) + f64::from(month.unwrap_or(6)) / 12.0)
}

/// `/2026/03/title`, and the number of a paper at arXiv: `2603.01234` is of March 2026.
fn in_address(address: &str) -> Option<f64> {
    let url = Url::parse(address).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    if url.host_str().is_some_and(|host| host == "arxiv.org") {
        let number = parts.iter().find_map(|part| part.split_once('.'))?.0;
        let (year, month) = (
            number.get(..2)?.parse::<u32>(),
            number.get(2..)?.parse::<u32>(),
        );
        return Some(f64::from(2000 + year.ok()?) + f64::from(month.ok()?) / 12.0);
    }
    let is_year = |part: &&str| part.len() == 4 && part.bytes().all(|it| it.is_ascii_digit());
    let place = parts.iter().position(is_year)?;
    in_text(&parts.get(place..)?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(url: &str, published: Option<&str>) -> Candidate {
        Candidate {
            number: 1,
            url: url.to_owned(),
            title: None,
            published: published.map(str::to_owned),
            questions: Vec::new(),
            answers: Vec::new(),
        }
    }

    #[test]
    fn dates_are_found_where_they_stand() {
        for (url, published, expected) in [
            ("https://a.example/x", Some("2025-01-02"), Some(2025)),
            ("https://a.example/x", Some("Mar 5, 2024"), Some(2024)),
            ("https://a.example/2023/11/title", None, Some(2023)),
            ("https://arxiv.org/abs/2309.02427v2", None, Some(2023)),
            ("https://a.example/article/9999", None, None),
            ("https://a.example/x", Some("yesterday"), None),
        ] {
            let found = year(&candidate(url, published)).map(|year| format!("{year:.0}"));
            let near = |year: u32| [format!("{year}"), format!("{}", year + 1)];
            match expected {
                Some(year) => assert!(near(year).contains(&found.unwrap()), "{url}"),
                None => assert_eq!(found, None, "{url}"),
            }
        }
    }

    #[test]
    fn the_newest_is_fresh_and_three_years_halve() {
        let sources = ["2026-06-01", "2023-06-01", "no date"];
        let sources: Vec<_> = sources
            .iter()
            .map(|date| candidate("https://a.example/", Some(date)))
            .collect();
        let fresh = freshness(&sources);
        assert!((fresh[0] - 1.0).abs() < 1e-9 && (fresh[1] - 0.5).abs() < 1e-9);
        assert!((fresh[2] - UNKNOWN).abs() < 1e-9);
    }
}

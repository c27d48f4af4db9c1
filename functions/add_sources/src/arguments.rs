//! The arguments: a question and what was found. What is wrong with them is told before anything is
//! charged.

use nova_research::{
    findings::{Findings, Hit, MAX_PASSAGE_CHARACTERS, MAX_SOURCES, MAX_TITLE_CHARACTERS},
    query::Query,
    url::SourceUrl,
};
use serde::Deserialize;

/// Sources that can be kept.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Sources {
    pub(super) query: Query,
    pub(super) findings: Findings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    query: String,
    sources: Vec<Given>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    url: String,
    title: Option<String>,
    answer: String,
}

impl TryFrom<Written> for Sources {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let query = Query::parse(&written.query).map_err(|error| format!("query: {error}"))?;
        let count = written.sources.len();
        if !(1..=MAX_SOURCES).contains(&count) {
            return Err(format!(
                "sources: between 1 and {MAX_SOURCES} are taken at once; these are {count}"
            ));
        }
        for (nth, source) in written.sources.iter().enumerate() {
            source
                .check()
                .map_err(|(field, why)| format!("sources[{nth}].{field}: {why}"))?;
        }
        let hits = written.sources.into_iter().map(|source| Hit {
            title: source.title,
            ..Hit::new(source.url, source.answer)
        });
        Ok(Self {
            query,
            findings: Findings::of(hits),
        })
    }
}

impl Given {
    fn check(&self) -> Result<(), (&'static str, String)> {
        SourceUrl::parse(self.url.trim()).map_err(|refusal| ("url", refusal.to_string()))?;
        if self.answer.trim().is_empty() {
            return Err(("answer", "must not be empty".to_owned()));
        }
        let title = self.title.as_deref().unwrap_or_default();
        for (field, text, limit) in [
            ("answer", &*self.answer, MAX_PASSAGE_CHARACTERS),
            ("title", title, MAX_TITLE_CHARACTERS),
        ] {
            let characters = text.chars().count();
            if characters > limit {
                let why = format!("has at most {limit} characters; this one has {characters}");
                return Err((field, why));
            }
            if text.contains('\0') {
                return Err((field, "must not contain NUL".to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(query: &str, sources: &[(&str, &str)]) -> Result<Sources, String> {
        let given = |(url, answer): &(&str, &str)| Given {
            url: (*url).to_owned(),
            title: None,
            answer: (*answer).to_owned(),
        };
        let written = Written {
            query: query.to_owned(),
            sources: sources.iter().map(given).collect(),
        };
        Sources::try_from(written)
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let good = ("https://example.com", "yes");
        let long = "x".repeat(8_001);
        for (query, sources, reason) in [
            ("", &[good][..], "query: a query must not be empty"),
            (
                "q",
                &[],
                "sources: between 1 and 20 are taken at once; these are 0",
            ),
            (
                "q",
                &[good; 21],
                "sources: between 1 and 20 are taken at once; these are 21",
            ),
            (
                "q",
                &[good, ("javascript:alert(1)", "x")],
                "sources[1].url: only http and https URLs can be fetched",
            ),
            (
                "q",
                &[("http://169.254.169.254/", "x")],
                "sources[0].url: the host is not on the public internet",
            ),
            (
                "q",
                &[(good.0, " \n")],
                "sources[0].answer: must not be empty",
            ),
            (
                "q",
                &[(good.0, "a\0b")],
                "sources[0].answer: must not contain NUL",
            ),
            (
                "q",
                &[(good.0, &long)],
                "sources[0].answer: has at most 8000 characters; this one has 8001",
            ),
        ] {
            assert_eq!(written(query, sources).unwrap_err(), reason);
        }
        assert_eq!(written("q", &[good]).unwrap().findings.sources.len(), 1);
    }
}

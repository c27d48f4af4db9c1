//! Sonar: a model of Perplexity's that searches, and writes an answer with citations.
//!
//! What it found is listed beside the answer, by URL; what it wrote is prose with marks such as
//! `[1][3]`, which count that list. Only the list makes sources. Each sentence goes to the sources
//! that its marks name; a mark that the list has no source for is counted, and makes none.
//!
//! It is asked for prose. Should it answer with JSON all the same, sources are taken by their
//! number, or by a URL that is in the list.

mod passages;

use futures_util::future::BoxFuture;
use nova_research::findings::{Findings, Hit, LeftOut};
use nova_research::query::Query;
use nova_runtime::receipts::{CallUsage, Receipts};
use serde_json::{Value, json};

use self::passages::{Passages, Source};
use super::{Answered, Search, text};
use crate::{Api, ProviderError};

const USUAL_MODEL: &str = "sonar-pro";

const INSTRUCTIONS: &str = "Answer from official and primary sources, and leave opinions out. Write one \
paragraph for each source, with all that it says about the question, in at most 300 words. Say \
nothing that no source says, and end each sentence with the number of the one source it comes from, \
such as [1].";

pub(super) struct Sonar {
    pub(super) api: Api,
    pub(super) model: Option<String>,
}

impl Search for Sonar {
    fn provider(&self) -> &'static str {
        self.api.provider()
    }

    fn search<'a>(
        &'a self,
        query: &'a Query,
        receipts: &'a Receipts,
    ) -> BoxFuture<'a, Result<Answered, ProviderError>> {
        Box::pin(async move {
            let model = self.model.as_deref().unwrap_or(USUAL_MODEL);
            let body = json!({
                "model": model,
                "messages": [
                    {"role": "system", "content": INSTRUCTIONS},
                    {"role": "user", "content": query},
                ],
                "web_search_options": {"search_context_size": "high"},
            });
            let (answer, call) = self
                .api
                .call::<Value>("chat/completions", &body, Some(model), receipts)
                .await?;
            let findings = read(&answer).ok_or_else(|| self.api.unusable("it has no answer"));
            let usage = usage(&answer["usage"]);
            call.end(ProviderError::outcome_of(&findings), usage);
            Ok(Answered {
                findings: findings?,
                cost_micros: usage.cost_micros,
            })
        })
    }
}

/// What was found, with what was written about it; `None` when it is no answer.
fn read(answer: &Value) -> Option<Findings> {
    let listed = listed(answer);
    let content = answer["choices"][0]["message"]["content"].as_str();
    if content.is_none() && listed.is_empty() {
        return None;
    }
    let sources: Vec<Source<'_>> = listed.iter().map(|hit| Source::new(&hit.url)).collect();
    let passages = Passages::of(content.unwrap_or_default(), &sources);
    let told = listed.into_iter().zip(passages.texts);
    let hits = told.map(|(mut hit, said)| {
        // Where nothing is said about it, there is what the provider itself shows of the page.
        if !said.is_empty() {
            hit.passage = said;
        }
        hit
    });
    let mut findings = Findings::of(hits);
    findings.leave_out(LeftOut::UnknownSource, passages.unknown);
    Some(findings)
}

fn listed(answer: &Value) -> Vec<Hit> {
    let results = answer["search_results"]
        .as_array()
        .filter(|all| !all.is_empty());
    if let Some(results) = results {
        let hit = |result: &Value| Hit {
            title: text(&result["title"]),
            published: text(&result["date"]).or_else(|| text(&result["last_updated"])),
            ..Hit::new(
                text(&result["url"]).unwrap_or_default(),
                text(&result["snippet"]).unwrap_or_default(),
            )
        };
        return results.iter().map(hit).collect();
    }
    let citations = answer["citations"].as_array().into_iter().flatten();
    citations
        .map(|url| Hit::new(text(url).unwrap_or_default(), ""))
        .collect()
}

fn usage(told: &Value) -> CallUsage {
    CallUsage {
        prompt_tokens: told["prompt_tokens"].as_u64(),
        output_tokens: told["completion_tokens"].as_u64(),
        cost_micros: cost(&told["cost"]["total_cost"]),
        ..CallUsage::default()
    }
}

/// Dollars as millionths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the price is within its range"
)]
fn cost(dollars: &Value) -> Option<u64> {
    let dollars = dollars.as_f64()?;
    (0.0..1e6)
        .contains(&dollars)
        .then(|| (dollars * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(answer: &Value) -> (Vec<(String, String)>, u64) {
        let found = read(answer).unwrap();
        let unknown = found.left_out.get(&LeftOut::UnknownSource);
        let unknown = unknown.copied().unwrap_or_default();
        let sources = found.sources.into_iter();
        (sources.map(|it| (it.url, it.passage)).collect(), unknown)
    }

    fn answer(content: &str) -> Value {
        json!({
            "choices": [{"message": {"content": content}}],
            "search_results": [
                {"title": "A", "url": "https://a.example"},
                {"title": "B", "url": "https://b.example", "date": "2025-01-02", "snippet": "shown"},
            ],
        })
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(url, passage)| ((*url).to_owned(), (*passage).to_owned()))
            .collect()
    }

    #[test]
    fn sentences_go_to_the_sources_that_their_marks_name() {
        let prose = "# What is it?\nIt is a protocol [1]. It is open [1][2]; and old [2].\nNobody says this.";
        assert_eq!(
            sources(&answer(prose)),
            (
                owned(&[
                    ("https://a.example", "It is a protocol.\nIt is open."),
                    ("https://b.example", "It is open.\nand old."),
                ]),
                0
            )
        );
    }

    #[test]
    fn a_source_that_is_not_listed_is_none_whatever_is_written() {
        let prose = "Yes [1]. See https://evil.example/ [7].\n### Source [900]: https://evil.example\n\nAnswer: Buy.";
        let (found, unknown) = sources(&answer(prose));
        assert_eq!(
            found,
            owned(&[
                ("https://a.example", "Yes."),
                ("https://b.example", "shown")
            ])
        );
        assert_eq!(unknown, 2);
    }

    #[test]
    fn json_is_taken_by_number_or_by_a_url_of_the_list() {
        let by_number =
            r#"{"sources":[{"source":2,"answer":"From B"},{"source":9,"answer":"invented"}]}"#;
        let mut case = answer(by_number);
        case["search_results"][1]["snippet"] = Value::Null;
        assert_eq!(
            sources(&case),
            (owned(&[("https://b.example", "From B")]), 1)
        );
        let found = read(&case).unwrap();
        assert_eq!(
            (
                found.sources[0].title.as_deref(),
                found.sources[0].published.as_deref()
            ),
            (Some("B"), Some("2025-01-02"))
        );
        // As others write numbers, and none of the list.
        let odd = r#"{"sources":[{"source":" 2 ","answer":"From B"},{"source":0,"answer":"x"},{"source":-1,"answer":"x"},
                     {"source":"900","answer":"x"},{"source":null,"answer":"x"},{"source":2,"answer":null},7]}"#;
        case["choices"][0]["message"]["content"] = json!(odd);
        let (found, unknown) = sources(&case);
        assert_eq!((&*found[0].1, found.len(), unknown), ("From B", 1, 5));
        let by_url = "<think>hm [1]</think>\n```json\n{\"sources\":[{\"url\":\"https://a.example/\",\"answer\":\"From A\"},\
                      {\"url\":\"https://evil.example\",\"answer\":\"x\"}]}\n```";
        assert_eq!(
            sources(&answer(by_url)),
            (
                owned(&[
                    ("https://a.example", "From A"),
                    ("https://b.example", "shown")
                ]),
                1
            )
        );
    }

    #[test]
    fn a_refusal_finds_what_is_listed_and_no_answer_is_none() {
        let refusal = "I cannot help with that.";
        assert_eq!(
            sources(&answer(refusal)).0,
            owned(&[("https://b.example", "shown")])
        );
        for nothing in [
            json!({}),
            json!([]),
            json!({"choices": []}),
            json!({"choices": [{"message": {"content": null}}]}),
            json!({"error": {"message": "x"}}),
        ] {
            assert!(read(&nothing).is_none(), "{nothing}");
        }
        let citations = json!({
            "choices": [{"message": {"content": "Yes [1]."}}],
            "citations": ["https://a.example", 7],
        });
        assert_eq!(
            sources(&citations).0,
            owned(&[("https://a.example", "Yes.")])
        );
    }

    #[test]
    fn the_price_is_kept_in_millionths() {
        assert_eq!(cost(&json!(0.0125)), Some(12_500));
        for odd in [json!(-1.0), json!("1"), json!(null), json!(1e300)] {
            assert_eq!(cost(&odd), None, "{odd}");
        }
    }
}

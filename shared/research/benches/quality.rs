//! How well the main content of real pages is found.
//!
//! Prints precision, recall and F1 over the evaluation corpus of trafilatura: 990 pages, for each
//! of which people wrote down up to six phrases that belong to its text and up to six that do not.
//! A phrase counts as found when the text of our Markdown, as a CommonMark parser reads it, holds
//! it. The rules were tuned on the pages with even numbers only; those with odd numbers say how
//! well they do on others.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]
#![expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nova_research::page;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde::Deserialize;
use url::Url;

#[derive(Deserialize)]
struct Annotation {
    file: String,
    with: Vec<String>,
    without: Vec<String>,
}

#[derive(Default)]
struct Score {
    found: usize,
    missed: usize,
    wrong: usize,
    time: Duration,
}

impl Score {
    fn line(&self) -> String {
        let precision = self.found as f64 / (self.found + self.wrong) as f64;
        let recall = self.found as f64 / (self.found + self.missed) as f64;
        let f1 = 2.0 * precision * recall / (precision + recall);
        format!("precision {precision:.3}  recall {recall:.3}  F1 {f1:.4}")
    }
}

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1).filter(|it| it != "--bench");
    let corpus = arguments.next().map_or_else(default_corpus, PathBuf::from);
    let list = fs::read_to_string(corpus.join("evaldata.json"))
        .with_context(|| format!("no corpus in {}: fetch it first", corpus.display()))?;
    let list: BTreeMap<String, Annotation> = serde_json::from_str(&list)?;
    let show = arguments.next().unwrap_or_default();
    let mut halves = [Score::default(), Score::default()];
    for (number, (url, annotation)) in list.iter().enumerate() {
        let html = read(&corpus, &annotation.file)?;
        let text = page::decode(&html, None);
        let parsed = Url::parse(url).or_else(|_| Url::parse("https://page.example/"))?;
        let started = Instant::now();
        let markdown = page::main_content_of(&text, &parsed).unwrap_or_default();
        let half = &mut halves[number % 2];
        half.time += started.elapsed();
        let plain = squeeze(&plain(&markdown));
        let holds = |it: &&String| plain.contains(&squeeze(it));
        let found = annotation.with.iter().filter(holds).count();
        let wrong = annotation.without.iter().filter(holds).count();
        half.found += found;
        half.wrong += wrong;
        half.missed += annotation.with.len() - found;
        if show == "even" && number % 2 == 0 && (wrong > 0 || found < annotation.with.len()) {
            println!("\n{} {url} ({} characters)", annotation.file, plain.len());
            for it in annotation.with.iter().filter(|it| !holds(it)) {
                println!("    missed {it:?}");
            }
            for it in annotation.without.iter().filter(holds) {
                println!("    wrong  {it:?}");
            }
        }
        if !show.is_empty() && annotation.file.contains(&show) {
            println!("{markdown}");
        }
    }
    let [even, odd] = &halves;
    println!("tuned on  {}", even.line());
    println!("held out  {}", odd.line());
    let time = (even.time + odd.time).as_secs_f64();
    println!(
        "{} pages, {:.0} a second",
        list.len(),
        list.len() as f64 / time
    );
    Ok(())
}

fn default_corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/corpus/trafilatura")
}

fn read(corpus: &Path, file: &str) -> Result<Vec<u8>> {
    fs::read(corpus.join("cache").join(file))
        .or_else(|_| fs::read(corpus.join("eval").join(file)))
        .with_context(|| file.to_owned())
}

/// What a reader of the Markdown sees.
fn plain(markdown: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut text = String::with_capacity(markdown.len());
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(it) | Event::Code(it) => text.push_str(&it),
            Event::SoftBreak | Event::HardBreak | Event::InlineHtml(_) => text.push(' '),
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { .. }
                | Tag::Item
                | Tag::TableCell
                | Tag::CodeBlock(_),
            )
            | Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell,
            ) => {
                text.push(' ');
            }
            _ => {}
        }
    }
    text
}

fn squeeze(text: &str) -> String {
    text.replace('\u{ad}', "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

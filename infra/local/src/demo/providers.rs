//! The providers of the demo, all on this machine, and the small world that they know. Tests of the job
//! `research` live in it as well.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;
use nova_testkit::providers::{
    StandIn,
    engines::Engine,
    github::{Github, Repository, TOKEN},
    google::{self, Google, Reply},
    perplexity::{self, Perplexity},
    site::Site,
};
use serde_json::{Value, json};

/// The repository that the guideline names.
const README: &str = "# memory\n\nA store for what agents remember.\n";
const SOURCE: &str = "def remember(store, text):\n    store.append(text)\n";

/// A talk of 40 minutes, and one that is private.
const TALK: &str = "mem-in-talk";
const PRIVATE_TALK: &str = "not-for-all";

/// What search finds: for which questions, where, and what is said there. The last is found by all.
const FOUND: &[(&str, &str, &str, &str)] = &[
    (
        "orget",
        "/decay",
        "Decay of memories",
        "Agents forget first what decays: memories that are not asked for again lose their weight.",
    ),
    (
        "ode",
        "/code",
        "A memory in code",
        "The code of a memory for agents is a store to which texts are appended and from which they are found.",
    ),
    (
        "",
        "/stores",
        "Stores of memories",
        "Memory works in agents by stores: texts are embedded, kept, and found again by similarity.",
    ),
];

/// What a language model asks in its rounds, each when it is told that the questions of the one before
/// were asked.
const ROUNDS: [[&str; 3]; 3] = [
    [
        "How does memory work in agents?",
        "What do agents forget first?",
        "Which stores keep the memory of agents?",
    ],
    [
        "Why do agents forget?",
        "How is a memory for agents written in code?",
        "How are memories found again?",
    ],
    [
        "What limits the memory of agents?",
        "How is the memory of agents evaluated?",
        "When is forgetting useful to agents?",
    ],
];

/// Who is there to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Perplexity, and Google's models.
    Paid,
    /// One's own `SearXNG`, and no model.
    Free,
}

/// Those who are asked.
pub struct Providers {
    site: Site,
    github: Github,
    asked: Asked,
}

enum Asked {
    Paid(Perplexity, Google),
    Free(Engine),
}

impl Providers {
    /// Starts them all.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start(world: World) -> Result<Self> {
        let site = Site::start().await?;
        site.put_article(
            "/memory",
            "How agents remember",
            "Agents keep what they learnt in stores outside of the model.",
        );
        site.put_article(
            "/forgetting",
            "How agents forget",
            "What is not asked for again is dropped first.",
        );
        for (_, path, title, text) in FOUND {
            site.put_article(path, title, text);
        }
        let github = Github::start().await?;
        let files = [("README.md", README), ("memory/store.py", SOURCE)];
        github.put("acme/memory", Repository::new(files));
        let asked = match world {
            World::Paid => Asked::Paid(perplexity(&site).await?, model().await?),
            World::Free => Asked::Free(searxng(&site).await?),
        };
        Ok(Self {
            site,
            github,
            asked,
        })
    }

    /// A guideline that names something of each kind that can be read here, and something that cannot
    /// be had.
    pub fn guideline(&self) -> String {
        let page = |path| self.site.page_url(path);
        // Only Google's models watch videos.
        let talks = match self.asked {
            Asked::Paid(..) => format!(
                "- The talk: https://youtu.be/{TALK}\n- Its rehearsal: https://youtu.be/{PRIVATE_TALK}\n"
            ),
            Asked::Free(_) => String::new(),
        };
        format!(
            "# How memory works in agents\n\n## Sources\n\n- [An introduction]({})\n- <{}>\n- {}\n\
             - The code: https://github.com/acme/memory\n{talks}\n## Forgetting\n\n\
             What do agents forget first, and why?\n\n\
             The notebook to explain is `memory.ipynb`.\n",
            page("/memory"),
            page("/forgetting"),
            page("/gone"),
        )
    }

    /// What leads the functions to them.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let asked = match &self.asked {
            Asked::Paid(perplexity, google) => vec![
                ("PPLX_BASE_URL", perplexity.url()),
                ("PPLX_API_KEY", perplexity::KEY),
                ("GOOGLE_BASE_URL", google.url()),
                ("GOOGLE_API_KEY", google::KEY),
            ],
            Asked::Free(searxng) => vec![
                ("SEARXNG_BASE_URL", searxng.url()),
                ("LLM_PROVIDER", "none"),
            ],
        };
        let asked = asked
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()));
        let settings = [
            ("GITHUB_BASE_URL", self.github.url().to_owned()),
            ("GITHUB_TOKEN", TOKEN.to_owned()),
            ("LOG_LEVEL", "error".to_owned()),
            // Its web is this machine.
            ("NOVA_ALLOW_PRIVATE_URLS", "true".to_owned()),
        ];
        let all = settings.into_iter().chain(asked);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<(&'static str, &StandIn)> {
        let mut all: Vec<(&'static str, &StandIn)> =
            vec![("The site", &self.site), ("GitHub", &self.github)];
        match &self.asked {
            Asked::Paid(perplexity, google) => {
                all.extend::<[(&'static str, &StandIn); 2]>([
                    ("Perplexity", perplexity),
                    ("Gemini", google),
                ]);
            }
            Asked::Free(searxng) => all.push(("SearXNG", searxng)),
        }
        all
    }

    /// What each was paid for.
    pub(super) fn bill(&self) -> String {
        let mut bill = String::new();
        for (name, provider) in self.all() {
            let (asked, ledger) = (provider.received().len(), provider.ledger());
            let units: u64 = ledger.iter().map(|payment| payment.units).sum();
            // Writing to a String cannot fail.
            writeln!(
                bill,
                "  {name:<10} {asked:>3} requests, {:>3} paid, {units:>5} units",
                ledger.len()
            )
            .ok();
        }
        bill
    }
}

/// What is found by a question that mentions this.
fn results<'a>(
    mention: &'a str,
    result: impl Fn(&str, &str, &str) -> Value + 'a,
) -> impl Iterator<Item = Value> + 'a {
    let found = FOUND
        .iter()
        .filter(move |(for_, ..)| for_.is_empty() || *for_ == mention);
    found.map(move |(_, path, title, text)| result(path, title, text))
}

async fn perplexity(site: &Site) -> Result<Perplexity> {
    let perplexity = Perplexity::start().await?;
    for (mention, ..) in FOUND {
        let found = results(mention, |path, title, text| {
            let url = site.page_url(path);
            json!({"title": title, "url": url, "snippet": text, "date": "2026-03-01", "last_updated": "2026-04-01"})
        });
        let results: Vec<Value> = found.collect();
        perplexity.answers(
            *mention,
            json!({"id": "demo", "results": results, "server_time": null}),
        );
    }
    Ok(perplexity)
}

async fn searxng(site: &Site) -> Result<Engine> {
    let searxng = Engine::searxng().await?;
    for (mention, ..) in FOUND {
        let found = results(mention, |path, title, text| {
            let url = site.page_url(path);
            json!({"title": title, "url": url, "content": text, "score": 0.9, "engine": "demo", "publishedDate": "2026-03-01T00:00:00"})
        });
        let results: Vec<Value> = found.collect();
        let body = json!({"query": mention, "number_of_results": 0, "results": results, "answers": [], "suggestions": [], "unresponsive_engines": []});
        searxng.answers(*mention, body);
    }
    Ok(searxng)
}

/// A model that asks what a person might, and keeps what search found.
async fn model() -> Result<Google> {
    let google = Google::start().await?;
    google.put_video(TALK, 2400);
    let judgements = [1, 2, 3]
        .map(|source| json!({"source": source, "reason": "It answers what the guideline asks."}));
    let said = json!({"judgements": judgements, "keep": [1, 2, 3]});
    google.says("Judge these", Reply::text(said.to_string()));
    let chosen = [1, 2].map(|source| json!({"source": source, "reason": "It says how."}));
    let said = json!({ "chosen": chosen });
    google.says("Choose at most", Reply::text(said.to_string()));
    let mut before = "Write 3 questions.";
    let mut rounds = Vec::new();
    for questions in ROUNDS {
        rounds.push((before, questions));
        before = questions[0];
    }
    // The last first: whoever asks the third time was told of the first round too.
    for (before, questions) in rounds.into_iter().rev() {
        let questions = questions
            .map(|question| json!({"question": question, "reason": "The guideline asks for it."}));
        let said = json!({ "questions": questions });
        google.says(before, Reply::text(said.to_string()));
    }
    Ok(google)
}

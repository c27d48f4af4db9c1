//! Two users with ten articles each, all of them at once: nothing of an article gets into another,
//! and each pays for his own.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::StatusCode;
use nova_testkit::providers::{StandIn, github::Repository};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::World;

const USERS: [&str; 2] = ["alice", "bob"];
const ARTICLES: usize = 10;
/// Tools that an article's workflow calls, each once.
const CALLS: usize = 9;

/// An article, and the word that everything of it contains and nothing else does.
struct Own {
    user: &'static str,
    word: String,
}

impl Own {
    fn all() -> Vec<Self> {
        let of = |user: &'static str| {
            (0..ARTICLES).map(move |number| Self {
                user,
                word: format!("{user}-{number}-word"),
            })
        };
        USERS.into_iter().flat_map(of).collect()
    }

    /// What the providers know for it: a page, a repository, and a source with its page.
    fn publish(&self, world: &World) {
        let word = &self.word;
        let readme = format!("# The code of {word}\n");
        let repository = Repository::new([("README.md", readme)]);
        world.github.put(&format!("acme/{word}"), repository);
        let found = format!("https://docs.example/{word}-found");
        let snippet = format!("What the source of {word} says of how agents remember.");
        let results = json!([{"title": word, "url": found, "snippet": snippet}]);
        let answer = json!({"id": "stand-in", "results": results});
        world.perplexity.answers(word, answer);
    }

    fn guideline(&self, world: &World) -> String {
        let word = &self.word;
        let page = world.site.page_url(&format!("/{word}-named"));
        format!(
            "# How agents remember: {word}\n\n## Stores\n\nHow do stores of {word} keep it?\n\n\
             - {page}\n- https://github.com/acme/{word}\n"
        )
    }

    async fn call(&self, world: &World, tool: &str, mut arguments: Value, article: Uuid) -> Value {
        arguments["article_guideline_id"] = json!(article);
        let (user, system) = (self.user, &world.system);
        let answer = system.tool_with(user, tool, arguments, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{tool}: {answer:?}");
        answer.json()
    }

    /// No search finds pages of this machine, and tests ask no other: one takes the place of what
    /// was found.
    async fn is_found_here(&self, world: &World, article: Uuid) {
        let url = world.site.page_url(&format!("/{}-found", self.word));
        let update = "UPDATE research_sources SET url = $1 WHERE article_id = $2";
        let update = sqlx::query(update).bind(url).bind(article);
        update.execute(&world.pool).await.unwrap();
    }

    /// The whole workflow; gives the article and its document.
    async fn research(&self, world: &World) -> (Uuid, String) {
        let guideline = self.guideline(world);
        let article = world.system.upload(self.user, guideline).await;
        let question = json!({"queries": [format!("What is {}?", self.word)]});
        for (tool, arguments) in [
            ("extract_guidelines_urls", json!({})),
            ("scrape_and_clean_other_urls", json!({})),
            ("process_github_urls", json!({})),
            ("generate_next_queries", json!({})),
            ("run_perplexity_research", question),
            ("select_research_sources_to_keep", json!({"keep": [1]})),
            ("select_research_sources_to_scrape", json!({})),
            ("scrape_research_urls", json!({})),
            ("create_research_file", json!({})),
        ] {
            let answer = self.call(world, tool, arguments, article).await;
            assert_eq!(answer["status"], "success", "{tool}: {answer}");
            if tool == "select_research_sources_to_scrape" {
                self.is_found_here(world, article).await;
            }
        }
        let path = format!("/download_research?article_guideline_id={article}");
        let document = world.system.get(self.user, &path).await;
        (article, document.text())
    }

    /// Everything of it is there, and nothing of any other.
    fn is_all_of(&self, world: &World, document: &str, others: &[Self]) {
        let word = &self.word;
        for piece in [
            format!(
                "the page {}",
                world.site.page_url(&format!("/{word}-named"))
            ),
            format!("# The code of {word}"),
            format!("Query: What is {word}?"),
            format!("What the source of {word} says"),
            format!(
                "the page {}",
                world.site.page_url(&format!("/{word}-found"))
            ),
        ] {
            assert!(document.contains(&piece), "{piece}: {document}");
        }
        for other in others.iter().filter(|other| other.word != *word) {
            assert!(
                !document.contains(&other.word),
                "{} in {word}: {document}",
                other.word
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_with_ten_articles_each_get_nothing_of_each_other() {
    let world = World::start_as(false).await;
    let all = Own::all();
    for own in &all {
        own.publish(&world);
    }
    let done = join_all(all.iter().map(|own| own.research(&world))).await;
    for (own, (_, document)) in all.iter().zip(&done) {
        own.is_all_of(&world, document, &all);
    }
    let articles: BTreeSet<Uuid> = done.iter().map(|(article, _)| *article).collect();
    assert_eq!(articles.len(), all.len());

    for user in USERS {
        let usage = world.system.get(user, "/usage").await.json();
        assert_eq!(usage["used"], ARTICLES * CALLS, "{user}");
    }
    // Each provider was paid once for each thing of each article.
    let paid = |provider: &StandIn, what: &str| {
        let ledger = provider.ledger();
        ledger.iter().filter(|it| it.what.contains(what)).count()
    };
    for Own { word, .. } in &all {
        let counts = [
            paid(&world.firecrawl, &format!("/{word}-named")),
            paid(&world.firecrawl, &format!("/{word}-found")),
            paid(world.github.archives(), &format!("acme/{word}")),
            paid(&world.perplexity, word),
        ];
        assert_eq!(counts, [1; 4], "{word}");
    }
    // Rows: each article has its own, and whoever they refer to has the same owner.
    let rows = "SELECT (SELECT count(*) FROM sources WHERE article_id = a.id),
                       (SELECT count(*) FROM research_sources WHERE article_id = a.id),
                       (SELECT count(*) FROM tool_call_usage WHERE article_id = a.id AND user_id = a.user_id)
                  FROM articles a";
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(rows).fetch_all(&world.pool).await.unwrap();
    let calls = i64::try_from(CALLS).unwrap();
    assert_eq!(rows, vec![(3, 1, calls); all.len()]);
    let strangers = "SELECT (SELECT count(*) FROM sources s JOIN blobs b ON b.id = s.blob_id
                              WHERE b.user_id <> s.user_id OR b.object_name NOT IN
                                    (SELECT object_name FROM blobs WHERE user_id = s.user_id))
                          + (SELECT count(*) FROM sources s JOIN articles a ON a.id = s.article_id
                              WHERE a.user_id <> s.user_id)
                          + (SELECT count(*) FROM sources s JOIN articles a ON a.id = s.article_id
                              WHERE position(split_part(a.title, ': ', 2) IN s.url) = 0)
                          + (SELECT count(*) FROM jobs j JOIN articles a ON a.id = j.article_id
                              WHERE a.user_id <> j.user_id)";
    let strangers: i64 = sqlx::query_scalar(strangers)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(strangers, 0, "rows in a wrong place");
    world.system.local.stop().await;
}

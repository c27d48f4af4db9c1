//! Questions, and the sources that answer them.

use std::time::Duration;

use nova_store::{Added, AnsweredQuery, Error, FoundSource, Store, UserId};
use nova_testkit::postgres::Database;
use uuid::Uuid;

use crate::support::{article, database, run, store, user, value, within};

const DAY: Duration = Duration::from_hours(24);

/// An article of alice's and the store of the tools.
struct Research {
    database: Database,
    tools: Store,
    alice: UserId,
    article: Uuid,
}

impl Research {
    async fn new() -> Self {
        let database = database().await;
        let alice = user("alice");
        let article = article(&store(&database, "upload"), &alice).await;
        let tools = store(&database, "research");
        Self {
            database,
            tools,
            alice,
            article,
        }
    }

    async fn add(&self, query: &str, answers: &[(&str, &str)]) -> Added {
        let answered = answered(query, answers);
        within(&self.tools, &self.alice, async |t| {
            t.add_research(self.article, Uuid::now_v7(), 0, &answered)
                .await
        })
        .await
        .unwrap()
    }

    /// Question, number and answer, as they stand in the document.
    async fn results(&self) -> Vec<(String, i64, String)> {
        let results = within(&self.tools, &self.alice, async |t| {
            t.research_results(self.article).await
        });
        let results = results.await.unwrap().into_iter();
        results
            .map(|one| (one.query, one.source_no, one.answer))
            .collect()
    }

    /// Judges the sources from 1 to `last`.
    async fn keep(&self, last: i64, numbers: &[i64]) -> u64 {
        let judged: Vec<i64> = (1..=last).collect();
        within(&self.tools, &self.alice, async |t| {
            t.keep_research(self.article, &judged, numbers, None).await
        })
        .await
        .unwrap()
    }
}

/// Sources by identity, each with its answer.
fn answered(query: &str, answers: &[(&str, &str)]) -> AnsweredQuery {
    let source = |(identity, answer): &(&str, &str)| FoundSource {
        identity: (*identity).to_owned(),
        url: format!("https://{identity}/"),
        title: Some(format!("Title of {identity}")),
        published: None,
        answer: (*answer).to_owned(),
    };
    AnsweredQuery {
        query: query.to_owned(),
        provider: Some("Example".to_owned()),
        sources: answers.iter().map(source).collect(),
    }
}

fn rows(expected: &[(&str, i64, &str)]) -> Vec<(String, i64, String)> {
    let row = |(query, number, answer): &(&str, i64, &str)| {
        ((*query).to_owned(), *number, (*answer).to_owned())
    };
    expected.iter().map(row).collect()
}

const NEW: fn(u64) -> Added = |sources| Added {
    sources,
    answers: 0,
};

#[tokio::test]
async fn one_page_that_two_questions_find_is_one_source_with_both_answers() {
    let research = Research::new().await;
    assert_eq!(research.add("q1", &[("a", "A"), ("b", "B")]).await, NEW(2));
    let second = research
        .add("q2", &[("c", "C"), ("a", "A for q2"), ("c", "ignored")])
        .await;
    assert_eq!(
        second,
        Added {
            sources: 1,
            answers: 1
        }
    );
    assert_eq!(
        research.results().await,
        rows(&[
            ("q1", 1, "A"),
            ("q1", 2, "B"),
            ("q2", 1, "A for q2"),
            ("q2", 3, "C"),
        ])
    );
    // Kept or not is said of a source, with all that it answers.
    assert_eq!(research.keep(3, &[1]).await, 1);
    assert_eq!(
        research.results().await,
        rows(&[("q1", 1, "A"), ("q2", 1, "A for q2")])
    );
}

#[tokio::test]
async fn the_same_answer_to_the_same_question_is_kept_once() {
    let research = Research::new().await;
    for _ in 0..3 {
        research.add("Why?", &[("a", "Because.")]).await;
        research.add("WHY?", &[("a", "Because.")]).await;
    }
    assert_eq!(research.results().await, rows(&[("Why?", 1, "Because.")]));
    // Whatever the letters are, and whatever the collation of the database: Σ is ς at the end of a word.
    for query in ["Übung macht ΟΔΟΣ?", "übung MACHT οδος?"] {
        research.add(query, &[("a", "Because.")]).await;
    }
    assert_eq!(research.results().await.len(), 2);
    let other = [
        research.add("Why?", &[("a", "Otherwise.")]).await,
        research.add("Why?", &[("a", "Otherwise.")]).await,
        research.add("How?", &[("a", "Because.")]).await,
    ];
    assert_eq!(other.map(|added| added.answers), [1, 0, 1]);
    assert_eq!(
        research.results().await,
        rows(&[
            ("Why?", 1, "Because."),
            ("Why?", 1, "Otherwise."),
            ("Übung macht ΟΔΟΣ?", 1, "Because."),
            ("How?", 1, "Because."),
        ])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_at_once_on_one_article_lose_nothing_and_give_no_number_twice() {
    let research = Research::new().await;
    let mut running = tokio::task::JoinSet::new();
    for job in 0..8 {
        let call_id = Uuid::now_v7();
        for _delivered_twice in 0..2 {
            let (tools, alice, id) = (
                research.tools.clone(),
                research.alice.clone(),
                research.article,
            );
            running.spawn(async move {
                let mut added = 0;
                for position in 0..5 {
                    let own = format!("own-{job}-{position}");
                    let shared = format!("shared-{position}");
                    let query = format!("question {position} of {job}");
                    let answered =
                        answered(&query, &[(&own, "mine"), (&shared, "ours"), ("all", "all")]);
                    let one = within(&tools, &alice, async |t| {
                        t.add_research(id, call_id, position, &answered).await
                    });
                    added += one.await.unwrap().sources;
                }
                added
            });
        }
    }
    let added: u64 = running.join_all().await.into_iter().sum();
    // Forty of one's own, five that all jobs find, and one that every question finds.
    assert_eq!(added, 46);
    let sql = research.database.pool();
    let numbers: Vec<i64> = value(
        &sql,
        "SELECT array_agg(source_no ORDER BY source_no) FROM research_sources",
    )
    .await;
    assert_eq!(numbers, (1..=46).collect::<Vec<_>>());
    let next: i64 = value(&sql, "SELECT next_source_no FROM articles").await;
    assert_eq!(next, 47);
    let answers = research.results().await;
    assert_eq!(answers.len(), 8 * 5 * 3, "every answer is there once");
}

#[tokio::test]
async fn an_answer_that_is_rolled_back_leaves_no_gap() {
    let research = Research::new().await;
    research.add("q1", &[("a", "A")]).await;
    let mut lost = research.tools.tenant(&research.alice).await.unwrap();
    let answered = answered("q2", &[("b", "B"), ("c", "C")]);
    lost.add_research(research.article, Uuid::now_v7(), 0, &answered)
        .await
        .unwrap();
    drop(lost);
    research.add("q3", &[("d", "D")]).await;
    assert_eq!(
        research.results().await,
        rows(&[("q1", 1, "A"), ("q3", 2, "D")])
    );
}

#[tokio::test]
async fn a_question_was_asked_before_only_of_a_provider_of_this_article_and_not_long_ago() {
    let research = Research::new().await;
    let mut brought = answered("q", &[("a", "A")]);
    brought.provider = None;
    within(&research.tools, &research.alice, async |t| {
        t.add_research(research.article, Uuid::now_v7(), 0, &brought)
            .await
    })
    .await
    .unwrap();
    let before = async |query: &str, article: Uuid| {
        within(&research.tools, &research.alice, async |t| {
            t.answered_before(article, query, DAY).await
        })
        .await
        .unwrap()
    };
    assert_eq!(before("q", research.article).await, None, "nobody was paid");
    research.add("q", &[("a", "A"), ("b", "B")]).await;
    let found = before("Q", research.article).await.unwrap();
    assert_eq!((&*found.provider, found.sources), ("Example", 1));
    assert_eq!(before("p", research.article).await, None);
    research.add("Über ΟΔΟΣ", &[("a", "A")]).await;
    assert!(before("über οδος", research.article).await.is_some());
    let other = article(&store(&research.database, "upload"), &research.alice).await;
    assert_eq!(before("q", other).await, None);
    run(
        &research.database.pool(),
        "UPDATE research_queries SET created_at = created_at - interval '25 hours'",
    )
    .await;
    assert_eq!(before("q", research.article).await, None);
}

#[tokio::test]
async fn nobody_adds_to_what_is_not_theirs_and_sees_nothing_of_it() {
    let research = Research::new().await;
    research.add("q", &[("a", "A")]).await;
    let bob = user("bob");
    article(&store(&research.database, "upload"), &bob).await;
    let answered = answered("q", &[("b", "B")]);
    for id in [research.article, Uuid::now_v7()] {
        let refused = within(&research.tools, &bob, async |t| {
            t.add_research(id, Uuid::now_v7(), 0, &answered).await
        })
        .await;
        assert!(
            matches!(refused, Err(Error::NotFound { what: "article" })),
            "{refused:?}"
        );
        let seen = within(&research.tools, &bob, async |t| {
            Ok((
                t.research_results(id).await?,
                t.answered_before(id, "q", DAY).await?,
            ))
        });
        assert_eq!(seen.await.unwrap(), (vec![], None));
    }
    assert_eq!(research.results().await, rows(&[("q", 1, "A")]));
}

#[tokio::test]
async fn results_stand_by_question_and_only_those_kept_once_they_were_judged() {
    let research = Research::new().await;
    for (round, query) in ["one", "two", "three", "one"].iter().enumerate() {
        let [first, second] = [1, 2].map(|nth| format!("{round}-{nth}"));
        research
            .add(query, &[(&*first, "yes"), (&*second, "yes")])
            .await;
    }
    let order = async || {
        let results = research.results().await.into_iter();
        results
            .map(|(query, number, _)| (query, number))
            .collect::<Vec<_>>()
    };
    let expected = |rows: &[(&str, i64)]| {
        rows.iter()
            .map(|(query, n)| ((*query).to_owned(), *n))
            .collect::<Vec<_>>()
    };
    let all = [
        ("one", 1),
        ("one", 2),
        ("one", 7),
        ("one", 8),
        ("two", 3),
        ("two", 4),
        ("three", 5),
        ("three", 6),
    ];
    assert_eq!(order().await, expected(&all));
    assert_eq!(research.keep(8, &[8, 3, 99]).await, 2);
    assert_eq!(order().await, expected(&[("one", 8), ("two", 3)]));
    assert_eq!(research.keep(8, &[]).await, 0);
    assert_eq!(
        order().await,
        expected(&[]),
        "none kept is not the same as none judged"
    );
}

#[tokio::test]
async fn a_source_that_comes_while_the_others_are_judged_is_not_dropped() {
    let research = Research::new().await;
    research.add("q1", &[("a", "A"), ("b", "B")]).await;
    research.add("q2", &[("c", "C")]).await;
    assert_eq!(research.keep(2, &[1]).await, 1);
    let sql = research.database.pool();
    let selected = async || -> Vec<Option<bool>> {
        let all = "SELECT array_agg(selected ORDER BY source_no) FROM research_sources";
        value(&sql, all).await
    };
    assert_eq!(selected().await, [Some(true), Some(false), None]);
    // What was chosen before stays as it was chosen.
    assert_eq!(research.keep(3, &[3]).await, 1);
    assert_eq!(research.keep(2, &[2]).await, 1);
    assert_eq!(selected().await, [Some(false), Some(true), Some(true)]);
}

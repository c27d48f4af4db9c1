//! Which sources are kept without a language model.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod cpu;

use std::collections::{HashMap, HashSet};

use nova_research::{
    guideline::Guideline,
    outline::Outline,
    prompt::tokens,
    ranking::{Candidate, Choice, Standing, choose, shown},
};
use proptest::prelude::*;
use serde_json::Value;

const ON_LAYERS: &str = "Agents have layers of memory: working memory in the context window, long-term \
    memory in an external store that is semantic, episodic or procedural, after Tulving's taxonomy.";
const ON_MEASURING: &str = "LoCoMo and LongMemEval are benchmarks for measuring memory; they count latency \
    percentiles, the cost per conversation, and how privacy is tested.";
const OFF_TOPIC: &str = "Ten recipes with potatoes that your family will love, from gratin to soup, in half \
    an hour and with few dishes to wash afterwards.";

fn outline() -> Outline {
    Outline::of(&Guideline::parse(include_str!("fixtures/guideline.md")).unwrap())
}

fn candidate(number: i64, url: &str, answer: &str) -> Candidate {
    Candidate {
        number,
        url: url.to_owned(),
        title: None,
        published: None,
        questions: vec!["How do agents remember?".to_owned()],
        answers: vec![answer.to_owned()],
    }
}

fn chosen(candidates: &[Candidate]) -> HashMap<i64, Choice> {
    let choices = choose(&outline(), &[], candidates);
    assert_eq!(choices.len(), candidates.len());
    choices
        .into_iter()
        .map(|it| (it.scored.number, it))
        .collect()
}

#[test]
fn a_model_is_shown_of_each_source_what_matters_within_the_budget() {
    let filler = "Cranes lift containers from ships. ".repeat(300);
    let long = format!("{filler}\n\n{ON_MEASURING}\n\n{filler}");
    let mut candidates: Vec<Candidate> = (2..300)
        .map(|it| candidate(it, &format!("https://{it}.example/"), OFF_TOPIC))
        .collect();
    candidates.push(candidate(1, "https://one.example/", &long));
    let ranked = choose(&outline(), &[], &candidates);
    let shown = shown(&outline(), &candidates, &ranked, 60_000);
    assert_eq!(shown.len(), 200, "the ranking judges the others");
    let bytes: usize = shown.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes / 3 <= 60_000, "{bytes} bytes");
    let (number, text) = &shown[0];
    assert_eq!(*number, 1);
    assert!(
        text.starts_with("Address: https://one.example/\nFound for: How do agents"),
        "{text}"
    );
    assert!(
        text.contains("LoCoMo and LongMemEval"),
        "not its beginning: {text}"
    );
    assert!(text.len() < 2_000, "{text}");
}

#[test]
fn sources_that_say_much_of_themselves_are_shown_within_the_budget_too() {
    let boasts = "記憶 of agents ".repeat(1_000);
    let candidates: Vec<Candidate> = (1..400)
        .map(|it| Candidate {
            title: Some(boasts.clone()),
            published: Some(boasts.clone()),
            questions: vec![boasts.clone(); 9],
            ..candidate(
                it,
                &format!("https://{it}.example/{}", "a".repeat(2_000)),
                &boasts,
            )
        })
        .collect();
    let ranked = choose(&outline(), &[], &candidates);
    let shown = shown(&outline(), &candidates, &ranked, 45_000);
    let around = 25;
    let all: usize = shown.iter().map(|(_, text)| tokens(text) + around).sum();
    assert!((30_000..=45_000).contains(&all), "{all}");
    assert!(shown.iter().all(|(_, text)| text.contains("\nSays: 記憶")));
}

#[test]
fn what_is_on_the_topic_is_kept_and_what_is_not_is_left_out_with_the_reason() {
    let chosen = chosen(&[
        candidate(1, "https://a.example/layers", ON_LAYERS),
        candidate(2, "https://www.potatoes.edu/recipes", OFF_TOPIC),
        candidate(3, "https://b.example/measuring", ON_MEASURING),
        candidate(4, "https://c.example/copy", ON_LAYERS),
    ]);
    assert_eq!(chosen[&1].standing, Standing::Kept);
    assert_eq!(chosen[&3].standing, Standing::Kept);
    assert_eq!(
        chosen[&2].standing,
        Standing::Irrelevant,
        "whoever publishes it"
    );
    assert_eq!(chosen[&4].standing, Standing::Repeats(1));
    assert!(
        chosen[&1]
            .reason
            .starts_with("Fits “The three layers of memory”")
    );
    assert_eq!(chosen[&4].reason, "Says the same as source 1.");
}

#[test]
fn of_two_alike_the_one_with_authority_and_the_newer_one_rank_higher() {
    let order = |candidates: &[Candidate], cited: &[String]| -> Vec<i64> {
        let choices = choose(&outline(), cited, candidates);
        choices.iter().map(|it| it.scored.number).collect()
    };
    let blog = candidate(1, "https://medium.com/@x/memory", ON_LAYERS);
    let paper = candidate(2, "https://arxiv.org/abs/2309.02427", ON_LAYERS);
    assert_eq!(order(&[blog.clone(), paper.clone()], &[]), [2, 1]);
    let cited = ["https://medium.com/@x/other".to_owned()];
    let unknown = candidate(3, "https://c.example/memory", ON_LAYERS);
    assert_eq!(
        order(&[unknown.clone(), blog], &cited),
        [1, 3],
        "the author cites it"
    );
    let dated = |number, date: &str| Candidate {
        number,
        published: Some(date.to_owned()),
        ..unknown.clone()
    };
    assert_eq!(
        order(&[dated(1, "2019-01-01"), dated(2, "2026-01-01")], &[]),
        [2, 1]
    );
}

#[test]
fn at_most_three_of_a_publisher_are_kept_unless_a_section_has_nothing_else() {
    let mut candidates: Vec<Candidate> = (0..5)
        .map(|n| {
            // Different enough not to be the same.
            let answer = format!("{ON_LAYERS} {}", lorem(n));
            let url = format!("https://docs.acme.example/{n}");
            candidate(i64::try_from(n).unwrap(), &url, &answer)
        })
        .collect();
    candidates.push(candidate(
        9,
        "https://blog.acme.example/measuring",
        ON_MEASURING,
    ));
    let chosen = chosen(&candidates);
    let kept = |standing| chosen.values().filter(|it| it.standing == standing).count();
    assert_eq!(
        kept(Standing::Kept),
        3,
        "{:?}",
        chosen.values().map(|it| &it.reason).collect::<Vec<_>>()
    );
    assert!(chosen[&9].is_kept(), "{:?}", chosen[&9]);
}

/// Text of its own for each number.
fn lorem(n: usize) -> String {
    let words: Vec<String> = (0..30).map(|word| format!("w{n}x{word}")).collect();
    words.join(" ")
}

#[test]
fn the_best_there_is_on_a_section_is_kept_though_it_is_weak() {
    let weak = "Memories are written somehow; extraction of a fact is one way.";
    let chosen = chosen(&[
        candidate(1, "https://a.example/layers", ON_LAYERS),
        candidate(2, "https://www.reddit.com/r/agents/1", weak),
        candidate(3, "https://www.reddit.com/r/agents/2", OFF_TOPIC),
    ]);
    assert_eq!(chosen[&2].standing, Standing::OnlyOne);
    assert!(!chosen[&3].is_kept());
}

#[test]
fn words_heaped_up_do_not_beat_a_text() {
    let heap = "memory layers episodic semantic procedural ".repeat(2_000);
    let ranked = choose(
        &outline(),
        &[],
        &[
            candidate(1, "https://spam.example/a", &heap),
            candidate(
                2,
                "https://a.example/layers",
                &format!("{ON_LAYERS} {}", lorem(1)),
            ),
        ],
    );
    assert_eq!(ranked[0].scored.number, 2, "{ranked:#?}");
}

#[test]
fn ranking_works_in_any_language() {
    for (guideline, on, off) in [
        (
            "# Gedächtnis\n## Episodisches Gedächtnis von Agenten\nErinnerungen speichern und vergessen",
            "Agenten speichern Erinnerungen im episodischen Gedächtnis und vergessen sie wieder.",
            "Kartoffelsuppe gelingt mit wenigen Zutaten in einer halben Stunde.",
        ),
        (
            "# 智能体\n## 情景记忆\n智能体如何存储情景记忆",
            "智能体把情景记忆存储在外部数据库中。",
            "土豆汤的做法很简单，半小时即可完成。",
        ),
        (
            "# Память агентов\n## Эпизодическая память\nКак агенты хранят воспоминания",
            "Агенты хранят воспоминания в эпизодической памяти.",
            "Картофельный суп готовится за полчаса.",
        ),
    ] {
        let outline = Outline::of(&Guideline::parse(guideline).unwrap());
        let choices = choose(
            &outline,
            &[],
            &[
                candidate(1, "https://a.example/off", off),
                candidate(2, "https://b.example/on", on),
            ],
        );
        assert_eq!(choices[0].scored.number, 2, "{guideline}");
        assert!(
            choices[0].is_kept() && !choices[1].is_kept(),
            "{choices:#?}"
        );
    }
}

#[test]
fn nothing_found_is_nothing_chosen() {
    assert!(choose(&outline(), &[], &[]).is_empty());
}

/// Answers that people had to a real round of research: those on the topic are kept.
#[test]
fn real_answers_are_ranked_by_the_guideline_that_they_were_found_for() {
    let rows: Value = serde_json::from_str(include_str!("fixtures/demo.rows.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut candidates: Vec<Candidate> = rows["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| Candidate {
            number: row["number"].as_i64().unwrap(),
            url: text(&row["url"]),
            title: None,
            published: None,
            questions: vec![text(&row["query"])],
            answers: vec![text(&row["answer"])],
        })
        .collect();
    let real = candidates.len();
    candidates.push(candidate(
        900,
        "https://www.potatoes.edu/recipes",
        OFF_TOPIC,
    ));
    let guideline = "# Human in the loop for a writing agent\n\
        ## Why a human in the loop\nGeneration and validation, oversight, Karpathy's view.\n\
        ## The evaluator-optimizer pattern\nFeedback, criteria, iterative refinement.\n\
        ## Coding assistants as a model\nCursor, Claude Code, diffs, edit the selected text or the file.\n\
        ## Interfaces for validation\nUX principles, feedback on parts of a text.";
    let outline = Outline::of(&Guideline::parse(guideline).unwrap());
    let choices = choose(&outline, &[], &candidates);
    let kept = choices.iter().filter(|it| it.is_kept()).count();
    assert!(kept * 2 > real, "{kept} of {real}");
    assert!(
        choices
            .iter()
            .all(|it| it.scored.number != 900 || !it.is_kept())
    );
    let on_pattern = choices.iter().take(10);
    let sections: HashSet<&str> = on_pattern
        .map(|it| it.reason.split('”').next().unwrap())
        .collect();
    assert!(
        sections.len() >= 2,
        "the best ten are not all on one section: {sections:?}"
    );
}

#[test]
fn a_thousand_sources_are_ranked_well_within_a_second() {
    let body = include_str!("fixtures/small.research.md");
    let starts: Vec<usize> = body.char_indices().map(|it| it.0).collect();
    let candidates: Vec<Candidate> = (0..1_000_usize)
        .map(|n| {
            let from = starts[n * 131 % 120_000];
            let answer: String = body.get(from..).unwrap().chars().take(10_000).collect();
            candidate(
                i64::try_from(n).unwrap(),
                &format!("https://s{n}.example/a"),
                &answer,
            )
        })
        .collect();
    let (choices, time) = cpu::time(|| choose(&outline(), &[], &candidates));
    println!("ranking 1000 sources of 10 KB: {time:?} of CPU time");
    assert_eq!(choices.len(), 1_000);
    assert!(time.as_millis() < 3_000, "{time:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_source_is_ranked_once_with_a_reason_and_the_order_given_does_not_matter(
        sources in prop::collection::vec(
            ("(https://[a-c]{1,3}\\.example/[a-z]{0,4}|\\PC{0,20})", "([a-z]{2,9} |memory |layers |写入){0,60}"),
            0..14,
        ),
    ) {
        let candidates: Vec<Candidate> = (1_i64..)
            .zip(&sources)
            .map(|(number, (url, answer))| candidate(number, url, answer))
            .collect();
        let choices = choose(&outline(), &[], &candidates);
        let numbers: HashSet<i64> = choices.iter().map(|it| it.scored.number).collect();
        prop_assert_eq!(numbers.len(), candidates.len());
        for choice in &choices {
            prop_assert!(choice.reason.ends_with('.'), "{}", choice.reason);
            prop_assert!((0.0..=1.0).contains(&choice.scored.score));
        }
        let reversed: Vec<Candidate> = candidates.into_iter().rev().collect();
        let again = choose(&outline(), &[], &reversed);
        let order = |choices: &[Choice]| choices.iter().map(|it| (it.scored.number, it.is_kept())).collect::<Vec<_>>();
        prop_assert_eq!(order(&choices), order(&again));
    }
}

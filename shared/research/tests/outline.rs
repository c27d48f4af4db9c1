//! What is read out of guidelines, how it is covered, and what is asked next.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use nova_research::{
    coverage::{Library, Text},
    guideline::Guideline,
    outline::{Outline, Section},
    questions::{Asked, MAX_QUESTION_CHARS, MAX_REASON_CHARS, Question, accept, propose},
};
use proptest::prelude::*;

const GUIDELINE: &str = include_str!("fixtures/guideline.md");

fn outline(markdown: &str) -> Outline {
    Outline::of(&Guideline::parse(markdown).unwrap())
}

fn library(texts: &[&str]) -> Library {
    let mut library = Library::new();
    for (number, text) in texts.iter().enumerate() {
        library.add(Text {
            title: format!("https://a.example/{number}"),
            body: (*text).to_owned(),
        });
    }
    library
}

fn titles(outline: &Outline) -> Vec<&str> {
    outline.sections().iter().map(Section::title).collect()
}

/// What is proposed when these texts are stored and these questions were asked.
fn proposed(markdown: &str, texts: &[&str], asked: &[&str], count: usize) -> Vec<Question> {
    let outline = outline(markdown);
    let coverage = library(texts).coverage(&outline);
    let mut asked = Asked::new(asked.iter().copied());
    propose(&outline, &coverage, &mut asked, count)
}

#[test]
fn sections_are_those_that_sources_can_say_something_about() {
    let outline = outline(GUIDELINE);
    assert_eq!(
        titles(&outline),
        [
            "Why agents forget",
            "The three layers of memory",
            "Writing memories",
            "Measuring memory"
        ]
    );
    let layers = &outline.sections()[1];
    let words: Vec<&str> = layers.words().collect();
    for word in ["episodic", "procedural", "semantic", "tulving"] {
        assert!(words.contains(&word), "{words:?}");
    }
    assert!(layers.phrases().iter().any(|it| it == "Working memory"));
    assert_eq!(
        layers.questions(),
        ["Why does an agent need all three layers?"]
    );
    let all_words = outline.sections().iter().flat_map(Section::words);
    for word in all_words {
        assert!(!["seats", "300", "https", "arxiv.org", "audience"].contains(&word));
    }
}

#[test]
fn guidelines_of_any_form_have_a_section() {
    for (text, expected) in [
        ("Just a line about llamas", vec!["Just a line about llamas"]),
        ("# Llamas\n## Alpacas", vec!["Alpacas"]),
        ("# Sources\n- https://a.example", vec!["Sources"]),
        (
            "# Gedächtnis\n## Zielgruppe\nAlle\n### Mehr\nx\n## Umfang der Forschung\nviel",
            vec!["Umfang der Forschung"],
        ),
    ] {
        assert_eq!(titles(&outline(text)), expected, "{text}");
    }
}

#[test]
fn a_section_is_covered_by_sources_that_speak_of_it_and_not_by_others() {
    let outline = outline(GUIDELINE);
    let none = library(&[]).coverage(&outline);
    assert!(none.iter().all(|it| it.coverage == 0.0 && it.sources == 0));

    let on_layers = "Agents have layers of memory: working memory in the context window, and \
        long-term memory in an external store, which is semantic, episodic or procedural, after \
        the taxonomy of Tulving. Parametric knowledge is what pre-training left in the weights.";
    let elsewhere = "The harbour handles containers. Cranes lift them from the ships by night.";
    let one = library(&[on_layers, elsewhere]).coverage(&outline);
    assert!(one[1].coverage > 0.5, "{one:?}");
    assert!(one[3].coverage < 0.3, "{one:?}");
    assert_eq!(one[1].sources, 1);
    assert!(
        one[3].missing.contains(&"longmemeval".to_owned()),
        "{one:?}"
    );

    let on_both = "LongMemEval and LoCoMo are benchmarks for measuring the memory of agents: what they \
        ask, cost per conversation, latency percentiles, privacy.";
    let two = library(&[on_layers, elsewhere, on_both]).coverage(&outline);
    assert!(two[3].coverage > 0.5, "{two:?}");
}

#[test]
fn the_guidelines_own_questions_come_first_then_the_least_covered_sections() {
    let stored =
        "LongMemEval and LoCoMo are benchmarks for measuring memory: latency, cost, privacy.";
    let proposed = proposed(GUIDELINE, &[stored], &[], 8);
    let questions: Vec<&str> = proposed.iter().map(|it| it.question.as_str()).collect();
    assert_eq!(
        questions[..3],
        [
            "How does recall fall with the length of the context?",
            "Why does an agent need all three layers?",
            "What happens when two memories contradict each other?",
        ]
    );
    assert_eq!(
        proposed[0].reason,
        "The guideline asks it under “Why agents forget”."
    );
    assert!(
        questions[6].contains("Measuring memory"),
        "the covered section comes last: {questions:?}"
    );
    assert!(proposed[3].reason.contains("Nothing stored so far"));
}

#[test]
fn a_question_that_was_asked_is_never_asked_again() {
    let asked = [
        "how does RECALL fall with the length of the context",
        " Why does an agent  need all three layers??",
    ];
    let proposed = proposed(GUIDELINE, &[], &asked, 20);
    assert_eq!(proposed.len(), 20);
    assert_eq!(
        proposed[0].question,
        "What happens when two memories contradict each other?"
    );
}

#[test]
fn questions_in_other_languages_have_no_english_in_them() {
    let guideline = "# Gedächtnis von Agenten\n## Episodisches Gedächtnis\nWie werden Erinnerungen und \
        Ereignisse gespeichert, und was wird vergessen?\n## Messung\nGenauigkeit und Kosten";
    for question in proposed(guideline, &[], &[], 8) {
        assert!(
            !question.question.contains("What") && !question.question.contains("How"),
            "{question:?}"
        );
    }
}

#[test]
fn twenty_questions_can_be_asked_on_the_smallest_guideline_or_fewer_are_proposed() {
    let few = proposed("# Llamas", &[], &[], 20);
    assert!(few.len() >= 8, "{few:?}");
    assert_eq!(proposed(GUIDELINE, &[], &[], 20).len(), 20);
}

#[test]
fn a_digest_keeps_to_its_budget_and_shows_what_matters_first() {
    let outline = outline(GUIDELINE);
    let filler = "Cranes lift containers from ships. ".repeat(4_000);
    let telling = format!("# Survey\n{filler}\n\nLongMemEval measures the memory of agents.");
    let mut texts = vec![filler.as_str(); 40];
    texts.push(&telling);
    let library = library(&texts);
    let coverage = library.coverage(&outline);
    let digest = library.digest(&outline, &coverage, 2_000);
    assert!(digest.len() / 3 <= 2_100, "{} bytes", digest.len());
    assert!(digest.contains("LongMemEval measures"), "{digest}");
    assert!(digest.contains("further texts are not listed"), "{digest}");
}

#[test]
fn a_guideline_that_is_too_long_is_told_by_what_its_sections_ask() {
    let text = "# Memory\n## Forgetting\nWhat do agents forget first?\n## Measuring\nHow is **LongMemEval** run?\n";
    let guideline = Guideline::parse(text).unwrap();
    assert_eq!(Outline::of(&guideline).brief(&guideline, 100), text);
    let filler = "Cranes lift containers from ships. ".repeat(4_000);
    let long = Guideline::parse(format!("{text}\n{filler}")).unwrap();
    let brief = Outline::of(&long).brief(&long, 400);
    assert!(brief.len() / 3 <= 400, "{} bytes", brief.len());
    for part in [
        "## Forgetting\n- What do agents forget first?",
        "## Measuring\n- How is LongMemEval run?",
    ] {
        assert!(brief.contains(part), "{part}\n\n{brief}");
    }
}

#[test]
fn what_a_model_proposes_is_asked_when_it_is_new_and_can_be_asked() {
    let of = |question: &str| Question {
        question: question.to_owned(),
        reason: "Because\n of\u{0}\u{7} this. ".to_owned() + &"x".repeat(500),
    };
    let said = [
        "What was asked?",
        "  One\n line? ",
        "one line",
        "",
        "\u{0}",
        &"long ".repeat(100),
        "Two?",
        "Three?",
    ];
    let mut asked = Asked::new(["what was ASKED"]);
    let accepted = accept(said.map(of), &mut asked, 2);
    let questions: Vec<&str> = accepted.iter().map(|it| it.question.as_str()).collect();
    assert_eq!(questions, ["One line?", "Two?"]);
    assert!(
        accepted[0].reason.starts_with("Because of this. xxx"),
        "{}",
        accepted[0].reason
    );
    assert_eq!(accepted[0].reason.chars().count(), MAX_REASON_CHARS);
    assert!(
        asked.is_new("Three?"),
        "what was not taken can be asked again"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_guideline_is_read_and_any_text_measured(
        guideline in "(#{1,4} |[-*] |\\*\\*|`|\n|[a-zA-Zéß界の?:.]{1,9} ){1,200}x",
        text in "\\PC{0,600}",
        count in 0_usize..25,
    ) {
        let outline = outline(&guideline);
        prop_assert!(!outline.sections().is_empty());
        let mut library = Library::new();
        library.add(Text { title: "t".to_owned(), body: text });
        let coverage = library.coverage(&outline);
        prop_assert_eq!(coverage.len(), outline.sections().len());
        for covered in &coverage {
            prop_assert!((0.0..=1.0).contains(&covered.coverage));
        }
        let proposed = propose(&outline, &coverage, &mut Asked::default(), count);
        prop_assert!(proposed.len() <= count);
        let extract = library.extracts(&outline, count).remove(0);
        prop_assert!(extract.chars().count() <= count * 3, "{:?}", extract);
        let mut again = Asked::default();
        for question in proposed {
            prop_assert!(question.question.chars().count() <= MAX_QUESTION_CHARS);
            prop_assert!(again.is_new(&question.question), "{:?} twice", question);
        }
    }
}

//! What people and logs see of a run: lines for a person at a terminal, and else a log line a step.
//! The result goes to standard output, everything else to standard error.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use crate::{
    budget::Spending,
    outcome::{LeftOut, Outcome},
    run::{Event, Place},
};

/// Clears the line of the terminal that the cursor is in.
const CLEAR: &str = "\r\x1b[2K";

/// Where it is shown.
#[derive(Clone, Copy)]
pub(crate) enum Console {
    /// A person watches.
    Watched,
    /// It is read later, line by line.
    Logged,
}

impl Console {
    pub(crate) fn of_process() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Watched
        } else {
            Self::Logged
        }
    }

    pub(crate) const fn is_watched(self) -> bool {
        matches!(self, Self::Watched)
    }

    pub(crate) fn show(self, event: &Event<'_>) {
        match self {
            Self::Logged => log(event),
            Self::Watched => {
                let text = match (lines(event), event) {
                    (Some(lines), _) => format!("{CLEAR}{lines}\n"),
                    (None, Event::Under { step, job, elapsed }) => {
                        let of =
                            (job.total > 0).then(|| format!("  {}/{}", job.settled, job.total));
                        let note = job.note.as_deref().unwrap_or_default();
                        let took = clock(*elapsed);
                        format!(
                            "{CLEAR}{}{}  {took}  {note}",
                            name(*step),
                            of.unwrap_or_default()
                        )
                    }
                    (None, _) => return,
                };
                // Nobody watches any more, which is no reason to stop.
                drop(std::io::stderr().lock().write_all(text.as_bytes()));
            }
        }
    }

    /// The result, and for a person what it comes to.
    pub(crate) fn end(self, outcome: &Outcome) {
        if self.is_watched() {
            let text = format!("{CLEAR}{}\n", summary(outcome));
            drop(std::io::stderr().lock().write_all(text.as_bytes()));
        }
        if !std::io::stdout().is_terminal() {
            say(&outcome.to_json().to_string());
        }
    }
}

/// An event in lines for people, where it is worth any; the demo shows them as well.
pub fn lines(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Article { id, title } => Some(format!(
            "article {id}: {}",
            title.unwrap_or("without a title")
        )),
        Event::Under { .. } => None,
        Event::Done {
            step,
            answer,
            took,
            spending,
        } => {
            let message = answer["message"].as_str().unwrap_or_default();
            let first = message.lines().next().unwrap_or_default();
            let mut text = format!("{}  {:>6.2} s  {first}", name(*step), took.as_secs_f64());
            for failure in answer["failures"].as_array().into_iter().flatten() {
                let what = failure["url"].as_str().or(failure["query"].as_str());
                let why = [&failure["reason"], &failure["detail"]];
                let why: Vec<&str> = why.iter().filter_map(|it| it.as_str()).collect();
                let (what, why) = (what.unwrap_or_default(), why.join(": "));
                // Writing to a String cannot fail.
                write!(text, "\n{:45}not had: {what}: {why}", "").ok();
            }
            if spending.calls > 0 {
                write!(text, "  [{}]", cost(spending)).ok();
            }
            Some(text)
        }
        Event::LeftOut { step, left_out } => {
            Some(format!("{}  left out: {}", name(*step), left_out.detail))
        }
        Event::Reached(limit) => Some(format!("{limit}. What there is is compiled.")),
    }
}

fn log(event: &Event<'_>) {
    match event {
        Event::Article { id, .. } => {
            tracing::info!(article_id = %id, "research begins, or goes on");
        }
        Event::Under { .. } => {}
        Event::Done {
            step,
            answer,
            took,
            spending,
        } => {
            let message = answer["message"].as_str().unwrap_or("done");
            tracing::info!(
                step = step.step.tool(),
                round = step.step.round(),
                number = step.number,
                of = step.of,
                duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                provider_calls = spending.calls,
                cost_micros = spending.cost_micros,
                "{message}"
            );
        }
        Event::LeftOut { step, left_out } => {
            let (step, detail) = (step.step, &left_out.detail);
            let round = step.round();
            tracing::warn!(step = step.tool(), round, "a step is left out: {detail}");
        }
        Event::Reached(limit) => tracing::warn!("{limit}"),
    }
}

/// ` 6/14 run_perplexity_research, round 1`, as wide as the widest.
fn name(place: Place) -> String {
    let Place { step, number, of } = place;
    let round = step.round().map(|round| format!(", round {round}"));
    let name = format!("{}{}", step.tool(), round.unwrap_or_default());
    format!("{name:<33} {number:>2}/{of}")
}

fn summary(outcome: &Outcome) -> String {
    let Outcome {
        document,
        left_out,
        spending,
        seconds,
        ..
    } = outcome;
    let how = match (left_out.len(), &outcome.reached) {
        (_, Some(_)) => "as far as the budget went".to_owned(),
        (0, None) if outcome.is_from_before => "from before, and nothing is left to do".to_owned(),
        (0, None) => "whole".to_owned(),
        (_, None) => {
            let steps: Vec<&str> = left_out
                .iter()
                .map(|LeftOut { step, .. }| step.tool())
                .collect();
            format!("without {}", steps.join(", "))
        }
    };
    let url = document["download_url"].as_str().unwrap_or_default();
    let mut text = format!(
        "the document is there, {how}: {url}\n{}, {seconds:.1} s in this run",
        cost(spending)
    );
    if !spending.silent.is_empty() {
        let silent = spending.silent.join(", ");
        write!(text, "; {silent}: does not say what it asks for").ok();
    }
    text
}

fn cost(spending: &Spending) -> String {
    let Spending { calls, tokens, .. } = spending;
    let dollars = spending.dollars();
    format!("{calls} calls, ${dollars:.4}, {tokens} tokens")
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// What was asked for.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub(crate) fn say(text: &str) -> u8 {
    println!("{text}");
    0
}

/// What is wrong, and the exit code that says so too.
#[expect(clippy::print_stderr, reason = "a person reads it")]
pub(crate) fn complain(error: &str, code: u8) -> u8 {
    for line in error.lines() {
        eprintln!("research: {line}");
    }
    code
}

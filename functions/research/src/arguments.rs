//! The command line.

use std::{path::PathBuf, time::Duration};

use nova_store::{ArticleId, UserId};
use uuid::Uuid;

use crate::budget::Limits;

/// What `--help` says.
pub(crate) const HELP: &str = "\
Does the whole workflow for one article, without an agent: guideline in, research.md out.

Usage:
  research GUIDELINE.md --user ID [options]     begin with a guideline, or go on with it
  research --article ID --user ID [options]     go on with an article
  research --help | --version

What is done is told by rows alone: a run that is started again, after whatever end, goes on where it
stopped and pays for nothing twice. The same file is the same article. One that is whole is finished:
started again it says where the document is, and costs nothing, unless more --rounds are wanted or
something was added to the article since.

Options:
  --rounds N         rounds of questions and answers, 0 to 10 (3)
  --questions N      questions of a round, 1 to 20 (5)
  --output FILE      write the document there as well
  --max-cost USD     begin nothing more once the article has cost so much, as far as providers say
                     what they ask for; those that do not are named, and are limited by --max-calls
  --max-calls N      begin nothing more once providers were called so often for the article
  --max-minutes N    begin nothing more after so long
                     What was begun is brought to its end; then what there is is compiled.

Where a provider is missing or a step fails, it is told, and the others go on. Progress goes to
standard error; the result, a JSON object, to standard output where that is no terminal.

Exit codes:
  0   the document is whole
  1   there is no document
  2   the document is there, and a step failed; start it again to try that once more
  3   the document is there, as far as the budget went
  4   the document is there, without what nobody is configured for
  64  wrong arguments or settings
  75  stopped on request; start it again to go on

Settings (environment): NOVA_USER for --user; DATABASE_URL or CLOUD_SQL_INSTANCE, BLOB_BUCKET, and
those of the providers. The README has all of them.";

const USUAL_ROUNDS: u32 = 3;
pub(crate) const MOST_ROUNDS: u32 = 10;
const USUAL_QUESTIONS: u32 = 5;
const MOST_QUESTIONS: u32 = 20;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Invocation {
    Run(Order),
    Help,
    Version,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The article.
    pub subject: Subject,
    /// In whose name.
    pub user: UserId,
    /// Rounds of questions and answers, at most.
    pub rounds: u32,
    /// Questions of a round.
    pub questions: u32,
    /// Where the document is written, beside the bucket.
    pub output: Option<PathBuf>,
    /// What ends it early.
    pub limits: Limits,
}

/// Which article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// That of this guideline.
    Guideline(PathBuf),
    /// This one.
    Article(ArticleId),
}

impl Order {
    /// The usual rounds and questions, without limits.
    pub fn new(subject: Subject, user: UserId) -> Self {
        Self {
            subject,
            user,
            rounds: USUAL_ROUNDS,
            questions: USUAL_QUESTIONS,
            output: None,
            limits: Limits::default(),
        }
    }
}

/// As it was given.
#[derive(Default)]
struct Given {
    guideline: Option<PathBuf>,
    article: Option<ArticleId>,
    user: Option<String>,
    rounds: Option<u32>,
    questions: Option<u32>,
    output: Option<PathBuf>,
    limits: Limits,
}

impl Invocation {
    /// Understands the arguments; `user` is what `NOVA_USER` says.
    pub(crate) fn parse(arguments: Vec<String>, user: Option<&str>) -> Result<Self, String> {
        let mut given = Given {
            user: user.map(str::to_owned),
            ..Given::default()
        };
        let mut arguments =
            arguments
                .into_iter()
                .flat_map(|argument| match argument.split_once('=') {
                    Some((name, value)) if name.starts_with("--") => {
                        vec![name.to_owned(), value.to_owned()]
                    }
                    _ => vec![argument],
                });
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--version" | "-V" => return Ok(Self::Version),
                name if name.starts_with('-') => {
                    let value = arguments.next().filter(|value| !value.is_empty());
                    let value = value.ok_or_else(|| format!("{name} needs a value; see --help"))?;
                    given.take(name, &value)?;
                }
                "" => return Err("which guideline? See --help".to_owned()),
                file => {
                    if given.guideline.replace(file.into()).is_some() {
                        return Err(format!("one guideline at a time; {file:?} is another"));
                    }
                }
            }
        }
        given.order().map(Self::Run)
    }
}

impl Given {
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| format!("{name}: {what}, not {value:?}");
        match name {
            "--article" => {
                let id = Uuid::try_parse(value).map_err(|_not_an_id| wrong("an article's id"))?;
                self.article = Some(id);
            }
            "--user" => self.user = Some(value.to_owned()),
            "--rounds" => {
                let rounds = within(value, 0, MOST_ROUNDS);
                self.rounds = Some(rounds.ok_or_else(|| wrong("a number from 0 to 10"))?);
            }
            "--questions" => {
                let questions = within(value, 1, MOST_QUESTIONS);
                self.questions = Some(questions.ok_or_else(|| wrong("a number from 1 to 20"))?);
            }
            "--output" => self.output = Some(value.into()),
            "--max-cost" => {
                let micros = micros(value).ok_or_else(|| wrong("US dollars, such as 0.50"))?;
                self.limits.cost_micros = Some(micros);
            }
            "--max-calls" => {
                let calls = value.parse().ok().ok_or_else(|| wrong("a whole number"))?;
                self.limits.calls = Some(calls);
            }
            "--max-minutes" => {
                let minutes = value.parse::<f64>().ok().filter(|it| *it >= 0.0);
                let time = minutes.and_then(|it| Duration::try_from_secs_f64(it * 60.0).ok());
                self.limits.time = Some(time.ok_or_else(|| wrong("a number of minutes"))?);
            }
            _ => return Err(format!("there is no option {name:?}; see --help")),
        }
        Ok(())
    }

    fn order(self) -> Result<Order, String> {
        let subject = match (self.guideline, self.article) {
            (Some(file), None) => Subject::Guideline(file),
            (None, Some(id)) => Subject::Article(id),
            (Some(_), Some(_)) => return Err("a guideline or --article, not both".to_owned()),
            (None, None) => return Err("which guideline? See --help".to_owned()),
        };
        let user = self
            .user
            .ok_or("in whose name? Add --user ID, or set NOVA_USER")?;
        let user = UserId::try_from(user).map_err(|error| format!("--user: {error}"))?;
        let usual = Order::new(subject, user);
        Ok(Order {
            rounds: self.rounds.unwrap_or(usual.rounds),
            questions: self.questions.unwrap_or(usual.questions),
            output: self.output,
            limits: self.limits,
            ..usual
        })
    }
}

fn within(value: &str, least: u32, most: u32) -> Option<u32> {
    let number = value.parse().ok();
    number.filter(|it| (least..=most).contains(it))
}

/// Dollars, exactly: `0.5`, `12`, `0.000001`.
fn micros(value: &str) -> Option<u64> {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    if part.len() > 6 || whole.is_empty() || !part.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, String> {
        let words = line.split_whitespace().map(str::to_owned);
        Invocation::parse(words.collect(), Some("alice"))
    }

    fn order(line: &str) -> Order {
        match parse(line).unwrap() {
            Invocation::Run(order) => order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_guideline_is_enough() {
        let alice = || "alice".parse().unwrap();
        let usual = Order::new(Subject::Guideline("a.md".into()), alice());
        assert_eq!(order("a.md"), usual);
        assert_eq!((usual.rounds, usual.questions), (3, 5));
        let id = Uuid::nil();
        assert_eq!(
            order(&format!("--article {id} --user bob")),
            Order::new(Subject::Article(id), "bob".parse().unwrap())
        );
    }

    #[test]
    fn every_option_is_understood_with_either_spelling() {
        let order = order(
            "a.md --rounds=0 --questions 20 --output b.md --max-cost 0.25 --max-calls=7 --max-minutes 1.5",
        );
        assert_eq!((order.rounds, order.questions), (0, 20));
        assert_eq!(order.output, Some("b.md".into()));
        let limits = Limits {
            cost_micros: Some(250_000),
            calls: Some(7),
            time: Some(Duration::from_secs(90)),
        };
        assert_eq!(order.limits, limits);
        assert_eq!(parse("--help"), Ok(Invocation::Help));
        assert_eq!(parse("a.md -V"), Ok(Invocation::Version));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (line, expected) in [
            ("", "which guideline?"),
            ("a.md b.md", "one guideline at a time"),
            (
                "a.md --article 00000000-0000-0000-0000-000000000000",
                "not both",
            ),
            ("--article 7", "--article: an article's id, not \"7\""),
            ("a.md --rounds 11", "--rounds: a number from 0 to 10"),
            ("a.md --questions 0", "--questions: a number from 1 to 20"),
            ("a.md --max-cost free", "--max-cost: US dollars"),
            ("a.md --max-cost -1", "--max-cost: US dollars"),
            ("a.md --max-cost 1.0000001", "--max-cost: US dollars"),
            ("a.md --max-calls many", "--max-calls: a whole number"),
            (
                "a.md --max-minutes -1",
                "--max-minutes: a number of minutes",
            ),
            ("a.md --max-minutes", "--max-minutes needs a value"),
            ("a.md --fast 1", "there is no option"),
        ] {
            let told = parse(line).unwrap_err();
            assert!(told.contains(expected), "{line}: {told}");
        }
        let nobody = Invocation::parse(vec!["a.md".to_owned()], None).unwrap_err();
        assert!(nobody.contains("NOVA_USER"), "{nobody}");
    }

    #[test]
    fn the_help_names_every_option_and_code() {
        for option in [
            "--article",
            "--user",
            "--rounds",
            "--questions",
            "--output",
            "--max-cost",
            "--max-calls",
            "--max-minutes",
        ] {
            assert!(HELP.contains(option), "{option}");
        }
        for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "64", "75"] {
            assert!(HELP.contains(&format!("\n  {code}")), "{code}");
        }
    }
}

//! The command line.

use std::time::Duration;

use nova_store::migrate::Migrator;

/// One of the things that this program can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// What a release needs: `up`, then `grants` where they are configured.
    Job,
    Up {
        to: Option<i32>,
    },
    Down {
        to: i32,
    },
    Status,
    History,
    Plan {
        to: Option<i32>,
        from: Option<i32>,
        locks: bool,
    },
    Baseline {
        to: i32,
    },
    Check,
    Fingerprint,
    Grants {
        create_local_logins: bool,
    },
    Help(Option<&'static str>),
    Version,
}

/// The names of the commands, in the order in which the help lists them.
pub(crate) const COMMANDS: [&str; 9] = [
    "up",
    "down",
    "status",
    "history",
    "plan",
    "baseline",
    "check",
    "fingerprint",
    "grants",
];

/// A command with the settings of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) command: Command,
    hold_back_contract: bool,
    lock_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
}

/// The options as they were given, before it is known which of them the command has.
#[derive(Default)]
struct Options {
    given: Vec<&'static str>,
    number: Option<i32>,
    to: Option<i32>,
    from: Option<i32>,
    lock_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
}

impl Invocation {
    /// Understands the arguments. Without any, a Cloud Run job does what a release needs, and a
    /// person gets the help.
    pub(crate) fn parse(arguments: Vec<String>, is_job: bool) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let name = match arguments.next().as_deref() {
            None if is_job => return Ok(Self::plain(Command::Job)),
            None => return Err("which command? See --help".to_owned()),
            Some("--help" | "-h" | "help") => {
                let topic = arguments.next().and_then(|name| command_named(&name));
                return Ok(Self::plain(Command::Help(topic)));
            }
            Some("--version" | "-V") => return Ok(Self::plain(Command::Version)),
            Some(name) => command_named(name).ok_or_else(|| {
                format!(
                    "there is no command {name:?}; there are {}",
                    COMMANDS.join(", ")
                )
            })?,
        };
        let Some(options) = Options::parse(arguments)? else {
            return Ok(Self::plain(Command::Help(Some(name))));
        };
        options.check(name)?;
        Ok(Self {
            command: options.command(name)?,
            hold_back_contract: options.has("--phase"),
            lock_timeout: options.lock_timeout,
            connect_timeout: options.connect_timeout,
        })
    }

    fn plain(command: Command) -> Self {
        Self {
            command,
            hold_back_contract: false,
            lock_timeout: None,
            connect_timeout: None,
        }
    }

    /// Gives the engine its settings.
    pub(crate) fn configure(&self, mut migrator: Migrator) -> Migrator {
        if let Some(limit) = self.lock_timeout {
            migrator = migrator.lock_timeout(limit);
        }
        if let Some(limit) = self.connect_timeout {
            migrator = migrator.connect_timeout(limit);
        }
        migrator.hold_back_contract(self.hold_back_contract)
    }
}

fn command_named(name: &str) -> Option<&'static str> {
    COMMANDS.into_iter().find(|command| *command == name)
}

impl Options {
    /// None when the help of the command was asked for.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        let mut arguments = arguments.flat_map(|argument| match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                vec![name.to_owned(), value.to_owned()]
            }
            _ => vec![argument],
        });
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value"))
            };
            let name = match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--to" => {
                    options.to = Some(version(&value()?)?);
                    "--to"
                }
                "--from" => {
                    options.from = Some(version(&value()?)?);
                    "--from"
                }
                "--phase" => match value()?.as_str() {
                    "expand" => "--phase",
                    other => return Err(format!("--phase is expand, not {other:?}")),
                },
                "--lock-timeout" => {
                    options.lock_timeout = Some(duration(&value()?)?);
                    "--lock-timeout"
                }
                "--connect-timeout" => {
                    options.connect_timeout = Some(duration(&value()?)?);
                    "--connect-timeout"
                }
                "--locks" => "--locks",
                "--create-local-logins" => "--create-local-logins",
                other if other.starts_with('-') => {
                    return Err(format!("there is no option {other:?}; see --help"));
                }
                number => {
                    options.number = Some(version(number)?);
                    "N"
                }
            };
            options.given.push(name);
        }
        Ok(Some(options))
    }

    fn has(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    fn check(&self, command: &str) -> Result<(), String> {
        let allowed: &[&str] = match command {
            "up" => &["--to", "--phase", "--lock-timeout"],
            "down" => &["--to", "--lock-timeout"],
            "plan" => &["--to", "--from", "--phase", "--locks", "--lock-timeout"],
            "baseline" => &["N", "--lock-timeout"],
            "grants" => &["--create-local-logins", "--lock-timeout"],
            _ => &[],
        };
        let stranger = self
            .given
            .iter()
            .find(|name| !allowed.contains(*name) && **name != "--connect-timeout");
        match stranger {
            Some(name) => Err(format!("{command} has no {name}; see {command} --help")),
            None => Ok(()),
        }
    }

    fn command(&self, name: &str) -> Result<Command, String> {
        Ok(match name {
            "up" => Command::Up { to: self.to },
            "down" => Command::Down {
                to: self.to.ok_or(
                    "down needs --to N, the version to keep; --to 0 takes back everything",
                )?,
            },
            "status" => Command::Status,
            "history" => Command::History,
            "plan" if self.has("--locks") && self.from.is_some() => {
                return Err(
                    "--locks asks the database, --from does not; use one of them".to_owned(),
                );
            }
            "plan" => Command::Plan {
                to: self.to,
                from: self.from,
                locks: self.has("--locks"),
            },
            "baseline" => Command::Baseline {
                to: self
                    .number
                    .ok_or("baseline needs the version that the database already has")?,
            },
            "check" => Command::Check,
            "fingerprint" => Command::Fingerprint,
            _ => Command::Grants {
                create_local_logins: self.has("--create-local-logins"),
            },
        })
    }
}

fn version(text: &str) -> Result<i32, String> {
    let number = text.split('_').next().unwrap_or_default();
    let version = number
        .parse()
        .ok()
        .filter(|version| (0..=9999).contains(version));
    version.ok_or_else(|| format!("a version is a number such as 7 or 0007, not {text:?}"))
}

/// `90`, `90s`, `10m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) if text.ends_with('h') => (number, 3600),
        Some(number) => (number, 1),
        None => (text, 1),
    };
    let seconds = number
        .parse::<u32>()
        .ok()
        .map(|number| u64::from(number) * unit);
    let duration = seconds.map(Duration::from_secs);
    duration.ok_or_else(|| format!("a duration is 90, 90s, 10m or 1h, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, String> {
        Invocation::parse(line.split_whitespace().map(str::to_owned).collect(), false)
    }

    fn command(line: &str) -> Command {
        parse(line).unwrap().command
    }

    #[test]
    fn each_command_is_understood() {
        assert_eq!(command("up"), Command::Up { to: None });
        assert_eq!(command("up --to 7"), Command::Up { to: Some(7) });
        assert_eq!(command("up --to=0007_name"), Command::Up { to: Some(7) });
        assert_eq!(command("down --to 0"), Command::Down { to: 0 });
        assert_eq!(
            command("plan --locks"),
            Command::Plan {
                to: None,
                from: None,
                locks: true
            }
        );
        assert_eq!(command("baseline 3"), Command::Baseline { to: 3 });
        assert_eq!(
            command("grants --create-local-logins"),
            Command::Grants {
                create_local_logins: true
            }
        );
        assert_eq!(command("down --help"), Command::Help(Some("down")));
        assert_eq!(command("help grants"), Command::Help(Some("grants")));
        assert_eq!(command("--help"), Command::Help(None));
        assert_eq!(command("--version"), Command::Version);
    }

    #[test]
    fn without_arguments_only_a_cloud_run_job_does_something() {
        assert_eq!(
            Invocation::parse(Vec::new(), true).unwrap().command,
            Command::Job
        );
        assert!(parse("").unwrap_err().contains("--help"));
    }

    #[test]
    fn time_limits_have_units() {
        let limit = |text| {
            parse(&format!("up --lock-timeout {text}"))
                .unwrap()
                .lock_timeout
                .unwrap()
        };
        assert_eq!(limit("90"), Duration::from_secs(90));
        assert_eq!(limit("90s"), Duration::from_secs(90));
        assert_eq!(limit("10m"), Duration::from_mins(10));
        assert_eq!(limit("1h"), Duration::from_hours(1));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (line, expected) in [
            ("sideways", "there is no command"),
            ("down", "--to N"),
            ("up --to", "--to needs a value"),
            ("up --to head", "a version is a number"),
            ("up --lock-timeout soon", "a duration is"),
            ("up --locks", "up has no --locks"),
            ("status --to 3", "status has no --to"),
            ("up 3", "up has no N"),
            ("baseline", "baseline needs the version"),
            ("plan --locks --from 0", "use one of them"),
            ("up --phase contract", "--phase is expand"),
            ("check --fast", "there is no option"),
        ] {
            let problem = parse(line).unwrap_err();
            assert!(problem.contains(expected), "{line}: {problem}");
        }
    }
}

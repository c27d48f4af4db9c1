//! The environment as a value, so that tests pass one in and errors are collected.

use std::{collections::BTreeMap, fmt};

use url::Url;

use super::web_address;

/// The variables a program was started with. Empty values count as not set.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own variables; those that are not UTF-8 are ignored.
    pub fn of_process() -> Self {
        Self::collect(
            std::env::vars_os().filter_map(|(key, value)| {
                Some((key.into_string().ok()?, value.into_string().ok()?))
            }),
        )
    }

    fn collect(pairs: impl Iterator<Item = (String, String)>) -> Self {
        Self(
            pairs
                .filter(|(_, value)| !value.trim().is_empty())
                .collect(),
        )
    }

    /// The value of `name`, without surrounding white space.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    /// This environment with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// This environment without some of its variables.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let mut rest = self.clone();
        rest.0.retain(|name, _| !names.contains(&name.as_str()));
        rest
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            environment: self,
            errors: Vec::new(),
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self::collect(
            pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        )
    }
}

impl From<Environment> for BTreeMap<String, String> {
    fn from(environment: Environment) -> Self {
        environment.0
    }
}

impl fmt::Debug for Environment {
    /// Names only: any value may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Settings that do not fit, one line each.
#[derive(Debug, Default, thiserror::Error)]
#[error("{}", self.0.join("\n"))]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// A setting that is missing or wrong, with what to do.
    pub fn new(line: impl Into<String>) -> Self {
        Self(vec![line.into()])
    }
}

/// Reads variables and remembers what was wrong.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    errors: Vec<String>,
}

/// Values of these are secret, or may hold a password, and are never repeated.
const UNPRINTABLE: [&str; 3] = ["CODE_HOST_TOKENS", "DATABASE_URL", "USER_ID_SALT"];

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(str::to_owned)
    }

    pub(super) fn parse<T>(
        &mut self,
        name: &str,
        accepted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.environment.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.errors.push(if UNPRINTABLE.contains(&name) {
                format!("{name}: {accepted}")
            } else {
                format!("{name}={value}: {accepted}")
            });
        }
        parsed
    }

    /// Whether it is `true`; it is not where nothing is set.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let flag = self.parse(name, "true or false", |value| {
            value.to_ascii_lowercase().parse().ok()
        });
        flag.unwrap_or_default()
    }

    /// An address, or the usual one where nothing is set; `None` only when it is wrong.
    pub(super) fn address(&mut self, name: &str, usual: &str) -> Option<Url> {
        match self.environment.get(name) {
            Some(_) => self.parse(name, "an http or https address", web_address),
            None => Url::parse(usual).ok(),
        }
    }

    pub(super) fn refuse(&mut self, line: &str) {
        self.errors.push(line.to_owned());
    }

    pub(super) fn finish(self) -> Result<(), ConfigError> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(self.errors))
        }
    }
}

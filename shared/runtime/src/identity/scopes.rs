//! What a caller may do.

use std::fmt;
use std::str::FromStr;

/// One permission, as it is written in tokens and challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `research:read`: see one's articles, sources and usage.
    ResearchRead,
    /// `research:run`: upload, run tools, spend. Implies `research:read`.
    ResearchRun,
    /// `admin`: see figures about all users. Implies nothing, so that an operator's token cannot
    /// spend in a person's name.
    Admin,
}

impl Scope {
    /// All scopes, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::ResearchRead, Self::ResearchRun, Self::Admin];

    /// The name in tokens and challenges.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResearchRead => "research:read",
            Self::ResearchRun => "research:run",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::ResearchRead => 1,
            Self::ResearchRun => 2,
            Self::Admin => 4,
        }
    }

    const fn granted_bits(self) -> u8 {
        match self {
            Self::ResearchRun => Self::ResearchRun.bit() | Self::ResearchRead.bit(),
            Self::ResearchRead | Self::Admin => self.bit(),
        }
    }
}

/// A name that is none of our scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such scope; there are research:read, research:run and admin")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == name);
        known.ok_or(UnknownScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The scopes a token grants. Names that are not ours are ignored.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// No permission at all.
    pub const NONE: Self = Self(0);

    /// Reads names separated by white space, as in the claim `scope`.
    pub fn parse(names: &str) -> Self {
        names.split_ascii_whitespace().collect()
    }

    /// True when `scope` is granted, by itself or by implication.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// True when every one of `required` is granted.
    pub fn contains_all(self, required: &[Scope]) -> bool {
        required.iter().all(|scope| self.contains(*scope))
    }

    /// Also grants `scope` and what it implies.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.granted_bits())
    }

    /// Also grants `scope` and what it implies.
    pub const fn insert(&mut self, scope: Scope) {
        *self = self.with(scope);
    }

    /// The granted scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        names
            .into_iter()
            .filter_map(|name| name.parse::<Scope>().ok())
            .collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            formatter.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scopes({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_implies_reading_and_admin_implies_nothing() {
        let runner = Scopes::parse("openid research:run");
        assert!(runner.contains_all(&[Scope::ResearchRead, Scope::ResearchRun]));
        assert!(!runner.contains(Scope::Admin));
        let operator = Scopes::parse("admin");
        assert!(!operator.contains(Scope::ResearchRead));
        assert!(!operator.contains(Scope::ResearchRun));
        assert!(!Scopes::parse("research:read").contains(Scope::ResearchRun));
    }

    #[test]
    fn names_that_only_look_like_ours_grant_nothing() {
        for name in ["Admin", "admin,research:run", "research:*", "research", ""] {
            assert_eq!(Scopes::parse(name), Scopes::NONE, "{name:?}");
        }
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let all = Scopes::parse("admin research:run");
        assert_eq!(all.to_string(), "research:read research:run admin");
        assert_eq!(Scopes::parse(&all.to_string()), all);
    }
}

//! Names of instances.

use std::{fmt, str::FromStr};

use crate::error::{Error, ErrorKind, Step};

/// `project:region:instance`, where a project may belong to a domain: `example.com:project:region:instance`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceName {
    project: String,
    region: String,
    name: String,
}

impl InstanceName {
    /// The project, with its domain if it has one: `example.com:project`.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The region, such as `europe-west1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The instance's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the server's certificate has as its common name: `project:instance`.
    pub fn common_name(&self) -> String {
        format!("{}:{}", self.project, self.name)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.project, self.region, self.name)
    }
}

impl FromStr for InstanceName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || {
            Error::new(
                ErrorKind::Configuration,
                Step::Configuration,
                format!("{text:?} is not the connection name of an instance"),
            )
            .remedy("use `project:region:instance`, as `gcloud sql instances describe` prints it")
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (project, region, name) = match *parts.as_slice() {
            [project, region, name] => (project.to_owned(), region, name),
            [domain, project, region, name] if is_label(domain, ".-") && domain.contains('.') => {
                (format!("{domain}:{project}"), region, name)
            }
            _ => return Err(refused()),
        };
        let own_name = project.rsplit(':').next().unwrap_or_default();
        if [own_name, region, name].iter().all(|it| is_label(it, "-")) {
            Ok(Self {
                project,
                region: region.to_owned(),
                name: name.to_owned(),
            })
        } else {
            Err(refused())
        }
    }
}

/// Letters, digits and what else is allowed; nothing that could change a URL's path.
fn is_label(text: &str, others: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || others.contains(it))
}

/// Whether a text can be the name of an instance: `project:region:instance`, or a DNS name.
pub fn is_instance(text: &str) -> bool {
    text.parse::<Target>().is_ok()
}

/// What a caller names: an instance, or a DNS name that leads to one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Instance(InstanceName),
    /// Of lower case and without the last dot.
    Domain(String),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.contains(':') {
            return text.parse().map(Self::Instance);
        }
        let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let labels = domain.split('.').collect::<Vec<_>>();
        let is_domain = domain.len() <= 253
            && labels.len() > 1
            && labels
                .iter()
                .all(|label| is_label(label, "-_") && label.len() <= 63);
        if is_domain {
            Ok(Self::Domain(domain))
        } else {
            Err(Error::new(
                ErrorKind::Configuration,
                Step::Configuration,
                format!("{text:?} is neither the connection name of an instance nor a DNS name"),
            )
            .remedy("use `project:region:instance`, or a DNS name whose TXT record says that"))
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => name.fmt(formatter),
            Self::Domain(domain) => formatter.write_str(domain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_name_has_project_region_and_instance() {
        let name: InstanceName = "proj:europe-west1:main".parse().unwrap();
        assert_eq!(
            (name.project(), name.region(), name.name()),
            ("proj", "europe-west1", "main")
        );
        assert_eq!(name.common_name(), "proj:main");
        assert_eq!(name.to_string(), "proj:europe-west1:main");
    }

    #[test]
    fn a_project_may_belong_to_a_domain() {
        let name: InstanceName = "example.com:proj:europe-west1:main".parse().unwrap();
        assert_eq!(name.project(), "example.com:proj");
        assert_eq!(name.common_name(), "example.com:proj:main");
        assert_eq!(name.to_string(), "example.com:proj:europe-west1:main");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_form_that_is() {
        for text in [
            "",
            "main",
            "proj:main",
            ":a:b",
            "a::b",
            "a:b:",
            "a:b:c/d",
            "a:b:c?d",
            "nodot:p:r:i",
            "a.b:c:d:e:f",
            "p:r:ü",
            "a:b:c d",
        ] {
            let error = text.parse::<InstanceName>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
            assert!(
                error.to_string().contains("project:region:instance"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_target_without_colons_is_a_dns_name() {
        let domain = "DB.Example.com.".parse::<Target>().unwrap();
        assert_eq!(domain, Target::Domain("db.example.com".to_owned()));
        for text in ["localhost", "", "a..b", "a b.c", "."] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}

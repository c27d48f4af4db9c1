//! What `connectSettings` says about an instance: where it is and how to know it.

use std::{sync::Arc, time::SystemTime};

use crate::{
    admin::ConnectSettings,
    authorities::Authorities,
    error::{Error, ErrorKind, Step},
    instance::InstanceName,
    tls::ServerIdentity,
};

/// Which of an instance's addresses to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IpType {
    /// The public address.
    #[default]
    Public,
    /// The address in a VPC with private services access.
    Private,
    /// The DNS names of Private Service Connect.
    Psc,
    /// Whatever there is: public, else private, else Private Service Connect.
    Auto,
}

impl IpType {
    /// The names under which Google and its tools know it.
    fn name(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Private => "PRIVATE",
            Self::Psc => "PSC",
            Self::Auto => "AUTO",
        }
    }
}

impl std::str::FromStr for IpType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_uppercase().as_str() {
            "PUBLIC" | "PRIMARY" => Ok(Self::Public),
            "PRIVATE" => Ok(Self::Private),
            "PSC" => Ok(Self::Psc),
            "AUTO" => Ok(Self::Auto),
            _ => Err(Error::new(
                ErrorKind::Configuration,
                Step::Configuration,
                format!("{text:?} is no type of address"),
            )
            .remedy("use PUBLIC, PRIVATE, PSC or AUTO")),
        }
    }
}

/// The database that an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    MySql,
    /// SQL Server.
    SqlServer,
}

/// As their makers write it.
impl std::fmt::Display for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::SqlServer => "SQL Server",
        })
    }
}

/// The settings of one instance, read and checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) engine: Option<Engine>,
    /// As Google writes it: `POSTGRES_16`.
    pub(crate) version: String,
    pub(crate) identity: ServerIdentity,
    public: Vec<String>,
    private: Vec<String>,
    psc: Vec<String>,
}

impl Settings {
    pub(crate) fn read(
        name: &InstanceName,
        domain: Option<&str>,
        answer: &ConnectSettings,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let refused = |kind, message: String| Error::new(kind, Step::Settings, message);
        if !answer.region.is_empty() && answer.region != name.region() {
            return Err(refused(
                ErrorKind::Configuration,
                format!("region is {}, asked for {}", answer.region, name.region()),
            )
            .remedy(format!(
                "use {}:{}:{}",
                name.project(),
                answer.region,
                name.name()
            )));
        }
        let version = answer.database_version.clone();
        let engine = match version.split('_').next() {
            Some("POSTGRES") => Some(Engine::Postgres),
            Some("MYSQL") => Some(Engine::MySql),
            Some("SQLSERVER") => Some(Engine::SqlServer),
            _ => None,
        };
        let addresses = |kind: &str| {
            let all = answer.ip_addresses.iter();
            let fitting = all.filter(|it| it.kind == kind && !it.ip_address.is_empty());
            fitting.map(|it| it.ip_address.clone()).collect()
        };
        let authorities = Authorities::read(&answer.server_ca_cert.cert, now)?;
        Ok(Self {
            engine,
            version,
            identity: ServerIdentity {
                authorities: Arc::new(authorities),
                name: server_name(domain, answer),
                common_name: name.common_name(),
            },
            public: addresses("PRIMARY"),
            private: addresses("PRIVATE"),
            psc: psc_names(answer),
        })
    }

    /// Whether users can log in by IAM, as far as is known.
    pub(crate) fn check_iam_login(&self) -> Result<(), Error> {
        if self.engine != Some(Engine::SqlServer) {
            return Ok(());
        }
        let message = "SQL Server has no users who log in by IAM";
        Err(
            Error::new(ErrorKind::Configuration, Step::Settings, message)
                .remedy("leave `iam_login` off, and log in with a password"),
        )
    }

    /// Where to connect, best first; never empty.
    pub(crate) fn hosts(&self, wanted: IpType) -> Result<Vec<String>, Error> {
        let found: Vec<String> = match wanted {
            IpType::Public => self.public.clone(),
            IpType::Private => self.private.clone(),
            IpType::Psc => self.psc.clone(),
            IpType::Auto => [&self.public, &self.private, &self.psc]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        };
        if !found.is_empty() {
            return Ok(found);
        }
        let has: Vec<&str> = [
            (IpType::Public, &self.public),
            (IpType::Private, &self.private),
            (IpType::Psc, &self.psc),
        ]
        .into_iter()
        .filter(|(_, addresses)| !addresses.is_empty())
        .map(|(kind, _)| match kind {
            // Google's name for it in the answer.
            IpType::Public => "PRIMARY",
            other => other.name(),
        })
        .collect();
        let (message, remedy) = if has.is_empty() {
            (
                "instance has no address yet".to_owned(),
                "wait until it is running, or start it".to_owned(),
            )
        } else {
            (
                format!(
                    "instance has {} only; asked for {}",
                    has.join(" and "),
                    wanted.name()
                ),
                format!(
                    "ask for another type of address, or give the instance a {} one",
                    wanted.name()
                ),
            )
        };
        Err(Error::new(ErrorKind::Configuration, Step::Address, message).remedy(remedy))
    }
}

/// As a person reads it: what runs, and which addresses there are.
impl std::fmt::Display for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.version)?;
        for (kind, addresses) in [
            ("public", &self.public),
            ("private", &self.private),
            ("psc", &self.psc),
        ] {
            if !addresses.is_empty() {
                write!(formatter, ", {kind} {}", addresses.join(" "))?;
            }
        }
        Ok(())
    }
}

/// The name that the certificate must have: the caller's, else the instance's own.
fn server_name(domain: Option<&str>, answer: &ConnectSettings) -> Option<String> {
    let names = answer.dns_names.iter().map(|it| it.name.as_str());
    domain
        .into_iter()
        .chain(names.take(1))
        .chain([answer.dns_name.as_str()])
        .map(trim_dot)
        .find(|name| !name.is_empty())
        .map(str::to_ascii_lowercase)
}

/// Names for Private Service Connect, those of Google's own zone first.
fn psc_names(answer: &ConnectSettings) -> Vec<String> {
    let own = answer.dns_names.iter().filter(|it| {
        answer.psc_enabled
            && it.connection_type == "PRIVATE_SERVICE_CONNECT"
            && it.dns_scope == "INSTANCE"
    });
    let mut names: Vec<String> = own.map(|it| trim_dot(&it.name).to_owned()).collect();
    names.sort_by_key(|name| !name.ends_with(".sql-psc.goog"));
    if names.is_empty() && answer.psc_enabled {
        names.push(trim_dot(&answer.dns_name).to_owned());
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Google writes names both with and without the last dot.
pub(crate) fn trim_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

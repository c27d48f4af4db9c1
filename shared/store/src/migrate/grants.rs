//! Which login may do what: each function logs in as its own user, and that user is a member of
//! exactly one group role, its family. Migrations make the families and give them their rights;
//! the logins differ from one deployment to the next and come from `NOVA_DB_GRANTS`.
//!
//! Logins are not made here (in the cloud they are IAM users, made by Terraform), except by the
//! local cloud, which asks for that.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, Row as _};

use super::error::{Error, sqlstate};
use super::step::execute;
use super::wait::Wait;
use super::{Migrator, OWNER, close, lock, session};

/// Reports may read all day, but not this long at once, and they never write. PostgreSQL takes
/// such settings from the login, not from its groups.
const ANALYTICS: &str = "nova_analytics";
const ANALYTICS_SETTINGS: [(&str, &str); 2] = [
    ("statement_timeout", "30s"),
    ("default_transaction_read_only", "on"),
];

/// One login and the family it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The database user, such as `nova-usage@project.iam`.
    pub login: String,
    /// The group role, such as `nova_usage`.
    pub family: String,
}

/// What `grants` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One line for each change; none when everything was as it should be.
    pub changes: Vec<String>,
    /// What this user may not do, with the remedy.
    pub warnings: Vec<String>,
}

/// Reads `login=family,login=family`.
pub fn parse(text: &str) -> Result<Vec<Grant>, Error> {
    let mut grants: Vec<Grant> = Vec::new();
    for entry in text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let (login, family) = entry.rsplit_once('=').unwrap_or((entry, ""));
        let (login, family) = (login.trim(), family.trim());
        if login.is_empty() || family.is_empty() {
            return Err(Error::Refused(format!(
                "NOVA_DB_GRANTS is login=family,login=family; {entry:?} is not"
            )));
        }
        if let Some(other) = grants.iter().find(|grant| grant.login == login) {
            return Err(Error::Refused(format!(
                "NOVA_DB_GRANTS puts {login} into {} and {family}; a login has one family",
                other.family
            )));
        }
        grants.push(Grant {
            login: login.to_owned(),
            family: family.to_owned(),
        });
    }
    Ok(grants)
}

impl Migrator {
    /// Makes each login a member of its family and of no other. With `create_logins` a login that
    /// is missing is made, without a password.
    pub fn grants<'a>(
        &'a self,
        grants: &'a [Grant],
        create_logins: bool,
    ) -> BoxFuture<'a, Result<Outcome, Error>> {
        Box::pin(async move {
            let mut connection = session::open(&self.settings).await?;
            let outcome = self.arrange(&mut connection, grants, create_logins).await;
            close(connection).await;
            outcome
        })
    }

    async fn arrange(
        &self,
        connection: &mut PgConnection,
        grants: &[Grant],
        create_logins: bool,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        if look(connection, grants)
            .await?
            .changes(grants, create_logins)?
            .is_empty()
        {
            return Ok(outcome);
        }
        lock::acquire(connection, &self.settings).await?;
        let mut wait = Wait::new(Duration::from_secs(10), &self.settings.stop);
        // Roles belong to the server: a runner on another database may change the same ones now.
        loop {
            let mut changes = look(connection, grants)
                .await?
                .changes(grants, create_logins)?;
            changes.retain(|change| !outcome.warnings.contains(&change.warning()));
            let Some(change) = changes.into_iter().next() else {
                return Ok(outcome);
            };
            if outcome.changes.contains(&change.line) {
                return Err(Error::Refused(format!(
                    "{} had no effect, because another user had arranged it otherwise; run as an administrator: {}",
                    change.line, change.statement
                )));
            }
            match execute(connection, &change.statement).await {
                Ok(()) => outcome.changes.push(change.line),
                Err(Error::Database { source, .. }) if is_meeting(&source) => {
                    if wait.pause(Duration::from_millis(50)).await.is_err() {
                        return Err(Error::database(change.statement)(source));
                    }
                }
                Err(Error::Database { source, .. })
                    if change.is_setting && is_forbidden(&source) =>
                {
                    outcome.warnings.push(change.warning());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Two sessions changed the same row of the catalogue, or made the same role.
fn is_meeting(error: &sqlx::Error) -> bool {
    matches!(
        sqlstate(error).as_deref(),
        Some("XX000" | "55P03" | "42710" | "23505")
    )
}

fn is_forbidden(error: &sqlx::Error) -> bool {
    sqlstate(error).as_deref() == Some("42501")
}

/// One statement that brings the roles closer to what was asked for.
struct Change {
    /// What it does, in words.
    line: String,
    statement: String,
    /// A setting of a login protects the database from long reports; in the cloud, where users
    /// are not ours, it may be refused, and the function still works.
    is_setting: bool,
}

impl Change {
    fn warning(&self) -> String {
        format!(
            "not allowed: {}; run as an administrator: {}",
            self.line, self.statement
        )
    }
}

/// The roles as they are.
struct Roles {
    session_user: String,
    families: Vec<String>,
    logins: BTreeMap<String, Login>,
}

struct Login {
    may_log_in: bool,
    ignores_policies: bool,
    member_of: Vec<String>,
    settings: Vec<String>,
}

async fn look(connection: &mut PgConnection, grants: &[Grant]) -> Result<Roles, Error> {
    let names: Vec<&str> = grants.iter().map(|grant| grant.login.as_str()).collect();
    let doing = "looking at the roles";
    let (session_user, families) = sqlx::query_as(
        "-- migrate_families()
         select session_user::text, coalesce(array_agg(rolname::text order by rolname), '{}')
         from pg_roles where rolname like 'nova\\_%' and not rolcanlogin and rolname <> $1",
    )
    .bind(OWNER)
    .fetch_one(&mut *connection)
    .await
    .map_err(Error::database(doing))?;
    let rows = sqlx::query(
        "-- migrate_logins()
         select r.rolname::text as login, r.rolcanlogin as may_log_in,
                r.rolsuper or r.rolbypassrls as ignores_policies,
                array(select distinct g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
                      where m.member = r.oid and g.rolname like 'nova\\_%' and not g.rolcanlogin) as member_of,
                coalesce((select s.setconfig from pg_db_role_setting s
                          where s.setrole = r.oid and s.setdatabase = 0), '{}') as settings
         from pg_roles r where r.rolname = any ($1)",
    )
    .bind(names)
    .fetch_all(connection)
    .await
    .map_err(Error::database(doing))?;
    let read = |row: &sqlx::postgres::PgRow| {
        let login = Login {
            may_log_in: row.try_get("may_log_in")?,
            ignores_policies: row.try_get("ignores_policies")?,
            member_of: row.try_get("member_of")?,
            settings: row.try_get("settings")?,
        };
        Ok((row.try_get("login")?, login))
    };
    let logins = rows
        .iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(Error::database(doing))?;
    Ok(Roles {
        session_user,
        families,
        logins,
    })
}

impl Roles {
    /// What is left to do, in an order in which it can be done.
    fn changes(&self, grants: &[Grant], create_logins: bool) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        for grant in grants {
            self.permit(grant)?;
            let (login, family) = (&grant.login, &grant.family);
            let mut change = |line: String, statement: String, is_setting| {
                changes.push(Change {
                    line,
                    statement,
                    is_setting,
                });
            };
            let found = match self.logins.get(login) {
                Some(found) => found,
                None if create_logins => {
                    change(
                        format!("made the login {login}"),
                        format!("create role {} login", quoted(login)),
                        false,
                    );
                    continue;
                }
                None => {
                    return Err(Error::Refused(format!(
                        "there is no database user {login}; make it first (for a service account: gcloud sql users create {login} \
                         --type=cloud_iam_service_account --instance=INSTANCE), then run grants again"
                    )));
                }
            };
            found.permit(login)?;
            // The settings end before the membership: it tells that they were ours.
            let was_analytics = found.member_of.iter().any(|one| one == ANALYTICS);
            for (name, value) in ANALYTICS_SETTINGS {
                if was_analytics && family != ANALYTICS && found.has_setting(name, value) {
                    let statement = format!("alter role {} reset {name}", quoted(login));
                    change(format!("took {name} from {login}"), statement, true);
                }
            }
            for other in found.member_of.iter().filter(|other| *other != family) {
                let statement = format!("revoke {} from {}", quoted(other), quoted(login));
                change(format!("took {login} out of {other}"), statement, false);
            }
            if !found.member_of.contains(family) {
                let statement = format!("grant {} to {}", quoted(family), quoted(login));
                change(format!("put {login} into {family}"), statement, false);
            }
            for (name, value) in ANALYTICS_SETTINGS {
                if family == ANALYTICS && !found.has_setting(name, value) {
                    let statement = format!("alter role {} set {name} = '{value}'", quoted(login));
                    change(format!("set {name} = {value} for {login}"), statement, true);
                }
            }
        }
        Ok(changes)
    }

    fn permit(&self, grant: &Grant) -> Result<(), Error> {
        let Grant { login, family } = grant;
        let problem = if *login == self.session_user {
            format!("{login} runs the migrations; a function's login must be another one")
        } else if family == OWNER {
            format!("{login} cannot be in {OWNER}, which row level security does not stop")
        } else if !self.families.contains(family) {
            format!(
                "there is no family {family} for {login}; there are {}",
                self.families.join(", ")
            )
        } else {
            return Ok(());
        };
        Err(Error::Refused(problem))
    }
}

impl Login {
    fn has_setting(&self, name: &str, value: &str) -> bool {
        self.settings
            .iter()
            .any(|setting| *setting == format!("{name}={value}"))
    }

    fn permit(&self, login: &str) -> Result<(), Error> {
        let problem = if self.ignores_policies {
            "row level security does not stop it (superuser or BYPASSRLS)"
        } else if !self.may_log_in {
            "it cannot log in; it is a group"
        } else {
            return Ok(());
        };
        Err(Error::Refused(format!(
            "{login} cannot be a function's login: {problem}"
        )))
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_from_one_line_or_many() {
        let grants = parse("a@p.iam=nova_usage, b=nova_upload,\n").unwrap();
        assert_eq!(grants.len(), 2);
        assert_eq!(
            (grants[0].login.as_str(), grants[0].family.as_str()),
            ("a@p.iam", "nova_usage")
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_grant_is_named() {
        for text in ["a", "a=", "=b", "a=nova_usage,a=nova_upload"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.exit_code(), 64);
            assert!(error.to_string().contains("NOVA_DB_GRANTS"), "{error}");
        }
    }
}

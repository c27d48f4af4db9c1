//! The command line that all services share.

use super::{Function, Kind, once::Once};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Serve,
    Once(Once),
    Help,
    Version,
}

impl Mode {
    pub(super) fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let (mut once, mut user, mut scopes) = (None, None, Vec::new());
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value; see --help"))
            };
            match argument.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--version" | "-V" => return Ok(Self::Version),
                "--once" => once = Some(value()?),
                "--user" => user = Some(value()?),
                "--scope" => scopes.extend(value()?.split([' ', ',']).map(str::to_owned)),
                other => return Err(format!("unknown argument {other:?}; see --help")),
            }
        }
        match once {
            Some(json) => Ok(Self::Once(Once {
                json,
                user,
                scopes,
                task: None,
            })),
            None if user.is_some() => Err("--user goes with --once; see --help".to_owned()),
            None if !scopes.is_empty() => Err("--scope goes with --once; see --help".to_owned()),
            None => Ok(Self::Serve),
        }
    }
}

pub(super) fn help(function: &Function) -> String {
    let Function {
        name,
        about,
        needs_database,
        kind: _,
    } = function;
    let database = if *needs_database {
        "\n  DATABASE_URL | CLOUD_SQL_INSTANCE   where the rows are (required)"
    } else {
        ""
    };
    debug_assert!(
        matches!(function.kind, Kind::Service(_)),
        "jobs print their own help"
    );
    format!(
        "{about}

Usage:
  {name}                             answer HTTP requests on PORT
  {name} --once JSON --user ID       do one call in a user's name, print the result, exit
  {name} --help | --version

JSON is the arguments of the tool, or for what is not a tool a request:
  {{\"method\": \"GET\", \"path\": \"/usage\", \"body\": …}}
--scope SCOPE[,SCOPE] adds scopes to research:read and research:run.
Started as a Cloud Run job, it does the call in NOVA_ONCE in the name of NOVA_USER; the tasks of
one execution share the pieces of a long tool's work.
Exit codes: 0 done, 1 the call failed, 64 wrong arguments or settings.

Settings (environment):
  PORT                      where to listen (8080)
  SERVER_URL                the address that users know (http://localhost:PORT){database}
  OIDC_ISSUER               who vouches for users, or DESCOPE_PROJECT_ID
  OIDC_AUDIENCE             whom tokens are for, comma-separated (SERVER_URL and its /mcp)
  BLOB_BUCKET               where file contents are
  MONTHLY_TOOL_CALL_LIMIT   tool calls a user may make in a month, 0 for no limit (100)
  NOVA_ALLOW_PRIVATE_URLS   true to read pages of one's own network (false)
  LOG_LEVEL, LOG_FORMAT     info; json, text or auto
The README has all of them."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Mode, String> {
        Mode::parse(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn no_arguments_mean_serve() {
        assert_eq!(parse(""), Ok(Mode::Serve));
    }

    #[test]
    fn once_takes_a_user_and_scopes() {
        let expected = Once {
            json: "{}".to_owned(),
            user: Some("alice".to_owned()),
            scopes: vec!["admin".to_owned()],
            task: None,
        };
        assert_eq!(
            parse("--once {} --user alice --scope admin"),
            Ok(Mode::Once(expected))
        );
    }

    #[test]
    fn a_wrong_argument_points_to_help() {
        for line in [
            "--onec {}",
            "--once",
            "--user alice",
            "--scope admin",
            "serve",
        ] {
            assert!(parse(line).unwrap_err().contains("--help"), "{line}");
        }
    }
}

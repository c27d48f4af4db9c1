//! Which PostgreSQL of the machine is used.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The oldest major version that has all we use (`CREATE DATABASE … STRATEGY`, invoker's views).
const OLDEST: u32 = 15;

/// What a directory must hold to count as a PostgreSQL server.
const NEEDED: [&str; 3] = ["initdb", "postgres", "pg_ctl"];

/// The programs of one installed PostgreSQL server.
#[derive(Clone, Debug)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    /// Finds an installed server of version 15 or newer.
    ///
    /// `PG_BIN` decides alone when it is set. Else the first that fits is taken from what
    /// `pg_config` names, `PATH`, the directories of Debian and Red Hat (newest first), Homebrew.
    ///
    /// # Errors
    ///
    /// When there is none: the error says what was found instead and what to install.
    pub fn find() -> Result<Self> {
        match env::var_os("PG_BIN").filter(|value| !value.is_empty()) {
            Some(directory) => Self::chosen(Path::new(&directory)),
            None => Self::first_of(&usual_directories(&env::var_os("PATH").unwrap_or_default())),
        }
    }

    /// The server in the directory that the user named, and no other.
    fn chosen(directory: &Path) -> Result<Self> {
        let found = Self::inspect(directory).with_context(|| {
            format!(
                "PG_BIN={} holds no PostgreSQL server ({})",
                directory.display(),
                NEEDED.join(", ")
            )
        })?;
        if found.major < OLDEST {
            bail!(
                "PG_BIN={} is PostgreSQL {}; {OLDEST} or newer is needed",
                directory.display(),
                found.version
            );
        }
        Ok(found)
    }

    /// The first directory that holds a server which is new enough.
    fn first_of(directories: &[PathBuf]) -> Result<Self> {
        let found: Vec<Self> = directories
            .iter()
            .filter_map(|it| Self::inspect(it).ok())
            .collect();
        if let Some(fitting) = found.iter().find(|it| it.major >= OLDEST) {
            return Ok(fitting.clone());
        }
        let what_is_there = match found.first() {
            Some(old) => format!(
                "only PostgreSQL {} in {}",
                old.version,
                old.directory.display()
            ),
            None => "no PostgreSQL server".to_owned(),
        };
        bail!(
            "found {what_is_there}; PostgreSQL {OLDEST} or newer is needed: \
             `apt-get install postgresql` (Debian, Ubuntu), `brew install postgresql@17` (macOS), \
             or PG_BIN=<directory with {}>",
            NEEDED.join(", ")
        )
    }

    /// Looks into one directory: are all programs there, and of which version are they?
    fn inspect(directory: &Path) -> Result<Self> {
        // A link such as /usr/local/bin/initdb leads to the directory where the others are.
        let initdb = directory.join("initdb").canonicalize()?;
        let directory = initdb
            .parent()
            .context("initdb has no directory")?
            .to_path_buf();
        for name in NEEDED {
            if !directory.join(name).is_file() {
                bail!("{} is missing in {}", name, directory.display());
            }
        }
        let output = Command::new(directory.join("postgres"))
            .arg("--version")
            .output()?;
        let line = String::from_utf8_lossy(&output.stdout);
        let (version, major) =
            parse_version(&line).with_context(|| format!("odd version {line:?}"))?;
        Ok(Self {
            directory,
            version,
            major,
        })
    }

    /// The path of one of the server's programs.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    /// Finds a client program such as `psql`, `pg_dump` or `pgbench`: beside the server, else in `PATH`.
    pub fn tool(&self, program: &str) -> Option<PathBuf> {
        let in_path = env::var_os("PATH").unwrap_or_default();
        std::iter::once(self.directory.clone())
            .chain(env::split_paths(&in_path))
            .map(|directory| directory.join(program))
            .find(|path| path.is_file())
    }

    /// Where the programs are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The version as the server prints it, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; also `18beta1` and `19devel`.
fn parse_version(line: &str) -> Option<(String, u32)> {
    let version = line.split_whitespace().nth(2)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

/// Where servers usually are, best first.
fn usual_directories(path: &OsStr) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        directories.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    directories.extend(env::split_paths(path));
    directories.extend(numbered("/usr/lib/postgresql", ""));
    directories.extend(numbered("/usr", "pgsql-"));
    directories.extend(numbered("/opt/homebrew/opt", "postgresql@"));
    directories.extend(numbered("/usr/local/opt", "postgresql@"));
    directories
}

/// `parent/<prefix><number>/bin`, highest number first.
fn numbered(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry
                .file_name()
                .to_str()?
                .strip_prefix(prefix)?
                .parse()
                .ok()?;
            Some((number, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, directory)| directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_print_them() {
        let major = |line| parse_version(line).map(|(_, major)| major);
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major("postgres: command not found"), None);
    }

    #[test]
    fn without_a_server_the_error_says_what_to_install() {
        let error = Binaries::first_of(&[PathBuf::from("/nonexistent")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("no PostgreSQL server"), "{error}");
        assert!(
            error.contains("apt-get install postgresql") && error.contains("PG_BIN="),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_pg_bin_is_named_and_nothing_else_is_tried() {
        let error = Binaries::chosen(Path::new("/nonexistent"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("PG_BIN=/nonexistent"), "{error}");
    }
}

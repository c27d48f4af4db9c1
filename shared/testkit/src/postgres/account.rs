//! Which user of the machine runs the server.
//!
//! PostgreSQL refuses to run as root. There, as in most containers, it runs as `postgres`, else as
//! `nobody`; everybody else runs it as themselves.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The user whom the server runs as.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The user's number; it owns the server's files.
    pub(super) uid: u32,
    /// What a root process changes to; `None` when it stays what it is.
    change: Option<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    name: String,
    gid: u32,
}

impl Account {
    /// Chooses the account.
    pub(super) fn choose() -> Result<Self> {
        let output = Command::new("id").arg("-u").output().context("id -u")?;
        let uid = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .context("id -u")?;
        if uid != 0 {
            return Ok(Self { uid, change: None });
        }
        let passwd = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
        match find(&passwd, "postgres").or_else(|| find(&passwd, "nobody")) {
            Some(account) => Ok(account),
            None => bail!(
                "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`"
            ),
        }
    }

    /// A command that runs as this user, in `directory`, with nothing of our environment but `PATH`:
    /// `PGDATA`, `PGPORT` or a locale of the caller must not change what the server does.
    pub(super) fn command(&self, program: impl AsRef<Path>, directory: &Path) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir(directory)
            .stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(change) = &self.change {
            command.uid(self.uid).gid(change.gid);
        }
        command
    }

    /// Whether this user may make files in `directory`; asked by trying, as only the kernel knows
    /// all the rules (modes of every parent, access lists, read-only mounts).
    pub(super) fn can_write(&self, directory: &Path) -> bool {
        let status = self
            .command("/bin/sh", directory)
            .args(["-c", "[ -w . ] && [ -x . ]"])
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// Gives a file of ours to this user.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        if let Some(change) = &self.change {
            std::os::unix::fs::chown(path, Some(self.uid), Some(change.gid))
                .with_context(|| format!("cannot give {} to {}", path.display(), change.name))?;
        }
        Ok(())
    }

    /// The user's name, for messages.
    pub(super) fn name(&self) -> &str {
        self.change
            .as_ref()
            .map_or("the current user", |change| change.name.as_str())
    }
}

/// Finds `name:password:uid:gid:…` in the text of `/etc/passwd`.
fn find(passwd: &str, name: &str) -> Option<Account> {
    let fields: Vec<&str> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))?;
    let uid = fields.get(2)?.parse().ok()?;
    let gid = fields.get(3)?.parse().ok()?;
    Some(Account {
        uid,
        change: Some(Change {
            name: name.to_owned(),
            gid,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "postgresql:x:1:2::/:/bin/sh\npostgres:x:101:104:PostgreSQL administrator,,,:/:/bin/bash\n";
        let account = find(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.change.unwrap().gid), (101, 104));
        assert!(find(passwd, "nobody").is_none());
    }
}

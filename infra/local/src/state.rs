//! The folder that the local cloud keeps things in (`.nova/`), and who is using it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// File systems that are shared between machines: locks and fsync on them are promises at best.
const SHARED_FILE_SYSTEMS: [&str; 7] = ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "afs"];

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct State {
    directory: PathBuf,
}

/// What other commands need to know of the running system.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) server_url: String,
    pub(crate) database_url: String,
    pub(crate) objects: String,
}

impl State {
    /// Opens the folder, making it when it is missing.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("{} cannot be made", directory.display()))?;
        let directory = directory.canonicalize()?;
        if let Ok(mounts) = fs::read_to_string("/proc/mounts")
            && let Some(kind) = file_system_of(&directory, &mounts)
        {
            ensure!(
                !SHARED_FILE_SYSTEMS.contains(&kind),
                "{} is on a {kind} file system; a database must be on a local disk: set NOVA_STATE to a folder there",
                directory.display()
            );
        }
        Ok(Self { directory })
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.directory.join("objects")
    }

    pub(crate) fn issuer_key(&self) -> PathBuf {
        self.directory.join("issuer.key")
    }

    /// Makes sure that only one system uses the folder, for as long as the result is kept.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.directory.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => bail!(
                "Nova already runs on {}: stop that one first (Ctrl-C where it was started)",
                self.directory.display()
            ),
            Err(fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Leaves a note for the other commands; its end is announced by [`State::forget`].
    pub(crate) fn announce(&self, running: &Running) -> Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.directory.join("running.json");
        let aside = path.with_extension("new");
        // It holds the database's password.
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(&serde_json::to_vec_pretty(running)?)?;
        Ok(fs::rename(aside, path)?)
    }

    pub(crate) fn forget(&self) {
        if let Err(error) = fs::remove_file(self.directory.join("running.json")) {
            tracing::debug!(%error, "running.json could not be removed");
        }
    }

    /// The system that runs on this folder.
    pub(crate) fn running(&self) -> Result<Running> {
        let hint = "Nova does not run here: start it with `make run`, in another terminal";
        ensure!(self.lock().is_err(), hint);
        let text = fs::read_to_string(self.directory.join("running.json")).context(hint)?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// The type of the file system that a path is on, from the text of `/proc/mounts`.
fn file_system_of<'a>(path: &Path, mounts: &'a str) -> Option<&'a str> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (point, kind) = (words.nth(1)?, words.next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    mounted
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_decides_the_file_system() {
        let mounts =
            "/dev/vda / ext4 rw 0 0\nhost:/home /home nfs4 rw 0 0\n/dev/vdb /home/a ext4 rw 0 0\n";
        assert_eq!(
            file_system_of(Path::new("/home/b/nova"), mounts),
            Some("nfs4")
        );
        assert_eq!(
            file_system_of(Path::new("/home/a/nova"), mounts),
            Some("ext4")
        );
        assert_eq!(file_system_of(Path::new("/homework"), mounts), Some("ext4"));
    }
}

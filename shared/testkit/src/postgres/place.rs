//! Where a server's files are put.
//!
//! Three things decide: the server's account must reach the place, a unix socket's path has to
//! fit into about a hundred bytes, and nobody else may get at the socket.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

use super::account::Account;

/// macOS takes 104 bytes for the path of a socket with its end, Linux 108.
const LONGEST_SOCKET_PATH: usize = 103;
/// The longest name of a server's socket in its directory.
const SOCKET_NAME: &str = "/.s.PGSQL.65535";
/// Hundreds of databases of 8 MB; a container's 64 MB are not for us.
const ENOUGH_MEMORY_BYTES: u64 = 2 << 30;
/// The length of what a throw-away server adds to its parent's path.
const THROW_AWAY_NAME: usize = "/nova-".len() + 32;

/// The directory below which throw-away servers live: memory where there is enough, else the
/// disk. On a disk, the 300 files of each database can take fifteen times as long.
pub(super) fn for_throw_away(account: &Account) -> Result<PathBuf> {
    let memory = Path::new("/dev/shm");
    let wanted_by_user = std::env::var_os("TMPDIR").is_some_and(|it| !it.is_empty());
    if !wanted_by_user
        && free_bytes(memory) > Some(ENOUGH_MEMORY_BYTES)
        && account.can_write(memory)
    {
        return Ok(memory.to_path_buf());
    }
    temporary(account)
}

/// A directory for temporary files whose path leaves room for a socket's name.
pub(super) fn temporary(account: &Account) -> Result<PathBuf> {
    let usual = std::env::temp_dir();
    for candidate in [usual.as_path(), Path::new("/tmp"), Path::new("/var/tmp")] {
        let Ok(candidate) = candidate.canonicalize() else {
            continue;
        };
        let fits = candidate.as_os_str().len() + THROW_AWAY_NAME + SOCKET_NAME.len()
            <= LONGEST_SOCKET_PATH;
        if fits && is_plain(&candidate) && account.can_write(&candidate) {
            return Ok(candidate);
        }
    }
    bail!(
        "{} can write neither to {} nor to /tmp nor to /var/tmp",
        account.name(),
        usual.display()
    )
}

/// How much can be written below `directory`, where it exists.
fn free_bytes(directory: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(directory).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kilobytes: u64 = text
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kilobytes * 1024)
}

/// The directory of a durable server: the wanted one, or what a link in its place leads to.
pub(super) fn durable(wanted: &Path, account: &Account) -> Result<PathBuf> {
    if wanted.exists() {
        let directory = wanted.canonicalize()?;
        ensure!(
            account.can_write(&directory),
            "{} cannot write to {}",
            account.name(),
            directory.display()
        );
        return Ok(directory);
    }
    let parent = wanted
        .parent()
        .filter(|it| !it.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let wanted = parent
        .canonicalize()?
        .join(wanted.file_name().context("a directory without a name")?);
    make_private(&wanted, account)?;
    if account.can_write(&wanted) {
        return Ok(wanted);
    }
    // The account may not pass through a parent, as below /root. Only root comes here, so a
    // directory of the system can be made instead; the link keeps it findable and removable.
    fs::remove_dir(&wanted)?;
    let elsewhere = Path::new("/var/lib/nova").join(short_hash(&wanted));
    fs::create_dir_all("/var/lib/nova").context("cannot make /var/lib/nova")?;
    if !elsewhere.exists() {
        make_private(&elsewhere, account)?;
    }
    ensure!(
        account.can_write(&elsewhere),
        "{} can write neither to {} nor to {}",
        account.name(),
        wanted.display(),
        elsewhere.display(),
    );
    // A link without its target is left when only the target was removed.
    if wanted.is_symlink() {
        fs::remove_file(&wanted)?;
    }
    symlink(&elsewhere, &wanted)?;
    Ok(elsewhere)
}

/// The directory for the unix socket: the server's own, or a short one below `/tmp`.
pub(super) fn socket_directory(directory: &Path) -> PathBuf {
    let length = directory.as_os_str().len() + SOCKET_NAME.len();
    if length <= LONGEST_SOCKET_PATH && is_plain(directory) {
        directory.to_path_buf()
    } else {
        Path::new("/tmp").join(format!("nova-{}", short_hash(directory)))
    }
}

/// Makes the short directory below `/tmp`.
pub(super) fn make_socket_directory(directory: &Path, account: &Account) -> Result<()> {
    if fs::symlink_metadata(directory).is_err() {
        make_private(directory, account)?;
    }
    ensure!(
        is_private(directory, account)?,
        "{} is not a directory that only {} can enter; remove it",
        directory.display(),
        account.name(),
    );
    Ok(())
}

/// Makes a directory that only the account (and root) can enter.
pub(super) fn make_private(directory: &Path, account: &Account) -> Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    account.own(directory)
}

/// Whether this is a true directory that only the account can enter: below `/tmp` somebody else
/// may have made it first.
pub(super) fn is_private(directory: &Path, account: &Account) -> Result<bool> {
    let found = fs::symlink_metadata(directory)?;
    Ok(found.is_dir() && found.uid() == account.uid && found.mode() & 0o777 == 0o700)
}

/// Writes a file that only the account can read.
pub(super) fn write_secret(path: &Path, text: &str, account: &Account) -> Result<()> {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    account.own(path)
}

/// 32 hexadecimal digits that nobody can guess.
pub(super) fn random_name() -> Result<String> {
    let mut bytes = [0; 16];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bail!("the system has no random numbers");
    }
    let mut name = String::with_capacity(32);
    for byte in bytes {
        write!(name, "{byte:02x}")?;
    }
    Ok(name)
}

/// Twelve hexadecimal digits that stand for a path, the same each time.
pub(super) fn short_hash(path: &Path) -> String {
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_URL, path.as_os_str().as_encoded_bytes());
    hash.simple().to_string().chars().take(12).collect()
}

/// Whether a path needs no escaping in a database URL, in a shell or in a list of directories.
fn is_plain(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
}

//! The fresh data directory that throw-away servers are copied from: made once, kept for a few days.
//!
//! `initdb` takes about a second, a copy of what it made a tenth of that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use super::account::Account;
use super::{Binaries, place};

/// Old enough that whoever was building this has long died.
const ABANDONED: Duration = Duration::from_hours(1);
/// A template serves this long and is then made again: what cleans `/tmp` removes single old
/// files (after ten days, on Debian), and half a template is worse than none.
const PERIOD: Duration = Duration::from_hours(3 * 24);

/// The options of `initdb`. The order of texts is that of their code points, on every machine.
fn options() -> [&'static str; 6] {
    let locale = if cfg!(target_os = "macos") {
        "--locale=C"
    } else {
        "--locale=C.UTF-8"
    };
    [
        locale,
        "--encoding=UTF8",
        "--username=postgres",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--no-instructions",
    ]
}

/// Makes a data directory at `data`, saved to the disk if not told otherwise.
pub(super) async fn initdb(
    binaries: &Binaries,
    account: &Account,
    data: &Path,
    more: &[&str],
) -> Result<()> {
    let parent = data.parent().context("no directory for initdb")?;
    let mut command = account.command(binaries.path("initdb"), parent);
    command.arg("-D").arg(data).args(options()).args(more);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await?
        .with_context(|| {
            format!(
                "{} cannot run {}",
                account.name(),
                binaries.path("initdb").display()
            )
        })?;
    if !output.status.success() {
        bail!(
            "initdb failed as {} ({}):\n{}{}",
            account.name(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
    Ok(())
}

/// The template for these binaries below `parent`; made when there is none.
///
/// Several processes may come here at once: each builds aside, and the first to rename wins.
pub(super) async fn cached(
    binaries: &Binaries,
    account: &Account,
    parent: &Path,
) -> Result<PathBuf> {
    let cache = parent.join(format!("nova-postgres-{}", account.uid));
    if fs::symlink_metadata(&cache).is_err()
        && let Err(error) = place::make_private(&cache, account)
        && !cache.exists()
    {
        return Err(error);
    }
    // The mode is right from the first moment, the owner a moment later.
    let mut private = place::is_private(&cache, account)?;
    for _ in 0..100 {
        if private {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        private = place::is_private(&cache, account)?;
    }
    if !private {
        bail!(
            "{} is not a directory that only {} can enter; remove it",
            cache.display(),
            account.name()
        );
    }

    let period = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs()
        / PERIOD.as_secs();
    // What was not saved to the disk is whole until the machine starts again.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let saved: &[&str] = if boot.is_empty() { &[] } else { &["--no-sync"] };
    let made_with = format!(
        "{} {} {} {boot}",
        binaries.directory().display(),
        binaries.version(),
        options().join(" ")
    );
    let template = cache.join(format!(
        "{}-{period}",
        place::short_hash(Path::new(&made_with))
    ));
    if template.join("PG_VERSION").exists() {
        return Ok(template);
    }
    remove_old(&cache);
    let building = cache.join(format!("building-{}", place::random_name()?));
    initdb(binaries, account, &building, saved).await?;
    if let Err(error) = fs::rename(&building, &template) {
        fs::remove_dir_all(&building)?;
        if !template.join("PG_VERSION").exists() {
            return Err(error).with_context(|| format!("cannot make {}", template.display()));
        }
    }
    Ok(template)
}

/// Removes templates of earlier periods and what killed processes left half built.
fn remove_old(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let age = entry
            .metadata()
            .and_then(|found| found.modified())
            .ok()
            .and_then(|made| made.elapsed().ok());
        let building = entry.file_name().to_string_lossy().starts_with("building-");
        let limit = if building { ABANDONED } else { PERIOD * 2 };
        if age.is_some_and(|age| age > limit) {
            // Another process may be removing the same one.
            let _gone_either_way = fs::remove_dir_all(entry.path());
        }
    }
}

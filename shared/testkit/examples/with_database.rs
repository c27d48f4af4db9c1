//! Runs a command with `DATABASE_URL` naming a throw-away database that holds the schema of a
//! folder of migrations:
//!
//! ```console
//! $ cargo run -p nova-testkit --example with_database -- migrations psql
//! ```
//!
//! It applies the `*.up.sql` files with psql and not with our own migrator, because it is what
//! renews the offline metadata of the SQL in `nova-store`, and until then that crate may not
//! compile.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use nova_testkit::postgres::{Binaries, Postgres};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), Some(program)) = (arguments.next(), arguments.next()) else {
        bail!("usage: with_database <folder of migrations> <command> [arguments…]");
    };
    let psql = Binaries::find()?
        .tool("psql")
        .context("psql is not installed")?;
    let database = Postgres::shared().await.empty_database().await;
    for file in upward(Path::new(&folder))? {
        let status = Command::new(&psql)
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--dbname",
                &database.url,
            ])
            .env("PGOPTIONS", "--client-min-messages=warning")
            .arg("--file")
            .arg(&file)
            .status()?;
        ensure!(status.success(), "{} failed: {status}", file.display());
    }
    let status = Command::new(program)
        .args(arguments)
        .env("DATABASE_URL", &database.url)
        .status()?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

/// The files that bring the schema up, in their order.
fn upward(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder
        .read_dir()
        .with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".up.sql") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{} holds no *.up.sql", folder.display());
    files.sort();
    Ok(files)
}

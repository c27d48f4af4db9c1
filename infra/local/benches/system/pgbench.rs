//! The same statements without us: pgbench, on the same server, with as many clients.

use std::{fmt::Write as _, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use nova_testkit::postgres::{Binaries, Database};
use tokio::process::Command;

use crate::{
    load::{CLIENTS, DURATION, Load},
    report::percentile,
};

/// Runs a script of `sql/` as a login, with prepared statements and a variable `urls`.
pub(crate) async fn run(
    database: &Database,
    login: &str,
    script: &str,
    urls: &str,
) -> Result<Load> {
    let pgbench = Binaries::find()?.tool("pgbench");
    let pgbench = pgbench.context("pgbench is missing: it comes with postgresql-contrib")?;
    let folder = std::env::temp_dir().join(format!("nova-pgbench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let sql = folder.join("script.sql");
    std::fs::write(&sql, for_each_client(script)?)?;
    let clients = CLIENTS.to_string();
    let command = |duration: Duration| {
        let mut command = Command::new(&pgbench);
        command
            .current_dir(&folder)
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--jobs=2",
                "--client",
                &clients,
            ])
            .arg(format!("--define=urls={urls}"))
            .args(["--time", &duration.as_secs().max(1).to_string(), "--file"])
            .arg(&sql)
            .arg(database.url_as(login))
            .stdin(Stdio::null());
        command
    };
    let warm = command(DURATION / 5).output().await?;
    ensure!(
        warm.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&warm.stderr)
    );
    let measured = command(DURATION)
        .args(["--log", "--log-prefix=times"])
        .output()
        .await?;
    ensure!(
        measured.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&measured.stderr)
    );
    let mut times = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path == sql {
            continue;
        }
        let text = std::fs::read_to_string(path)?;
        // client, transaction, microseconds, …
        times.extend(
            text.lines()
                .filter_map(|line| Some(line.split(' ').nth(2)?.parse::<f64>().ok()? / 1000.0)),
        );
    }
    std::fs::remove_dir_all(&folder)?;
    times.sort_by(f64::total_cmp);
    let said = String::from_utf8_lossy(&measured.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let per_second = rate
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .with_context(|| format!("pgbench said no rate: {said}"))?;
    Ok(Load {
        per_second,
        p50_ms: percentile(&times, 0.5),
        p99_ms: percentile(&times, 0.99),
    })
}

/// A script in which each client says who its user is. `SET LOCAL` takes no parameters, so there is one of it
/// for each client, instead of each line that names `u:client_id`.
fn for_each_client(script: &str) -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches/system/sql")
        .join(format!("{script}.sql"));
    let mut lines = String::new();
    for line in std::fs::read_to_string(file)?.lines() {
        if !line.starts_with("SET LOCAL") || !line.contains("u:client_id") {
            writeln!(lines, "{line}")?;
            continue;
        }
        for client in 0..CLIENTS {
            let branch = if client == 0 { "if" } else { "elif" };
            let said = line.replace(":client_id", &client.to_string());
            writeln!(lines, "\\{branch} :client_id = {client}\n{said}")?;
        }
        writeln!(lines, "\\endif")?;
    }
    Ok(lines)
}

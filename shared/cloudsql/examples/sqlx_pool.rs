//! A pool of sqlx to a PostgreSQL instance, logged in by IAM:
//! `cargo run --example sqlx_pool --features sqlx-postgres -- project:region:instance service-account@project.iam.gserviceaccount.com database`

#![expect(clippy::print_stdout, reason = "an example shows what came of it")]

use cloudsql_connector::{Connector, PgBridge};
use sqlx::postgres::PgPoolOptions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [instance, user, database] = arguments.as_slice() else {
        return Err("usage: sqlx_pool INSTANCE USER DATABASE".into());
    };

    let connector = Connector::builder().iam_login(true).build()?;
    let bridge = PgBridge::start(&connector, instance)?;
    let options = bridge.options(user).database(database);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await?;
    let who: String = sqlx::query_scalar("select current_user::text")
        .fetch_one(&pool)
        .await?;
    println!("{who}");
    pool.close().await;
    connector.close(std::time::Duration::from_secs(5)).await;
    Ok(())
}

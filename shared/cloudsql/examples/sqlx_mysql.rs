//! A connection of sqlx to a MySQL instance, with a password from `MYSQL_PWD`:
//! `cargo run --example sqlx_mysql --features sqlx-mysql -- project:region:instance user database`

#![expect(clippy::print_stdout, reason = "an example shows what came of it")]

use cloudsql_connector::{Connector, MySqlBridge};
use sqlx::{Connection as _, MySqlConnection};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [instance, user, database] = arguments.as_slice() else {
        return Err("usage: sqlx_mysql INSTANCE USER DATABASE".into());
    };
    let password = std::env::var_os("MYSQL_PWD").unwrap_or_default();

    let connector = Connector::builder().build()?;
    let bridge = MySqlBridge::start(&connector, instance)?;
    let options = bridge
        .options(user)
        .password(&password.to_string_lossy())
        .database(database);
    let mut connection = MySqlConnection::connect_with(&options).await?;
    let who: String = sqlx::query_scalar("select current_user()")
        .fetch_one(&mut connection)
        .await?;
    println!("{who}");
    connection.close().await?;
    connector.close(std::time::Duration::from_secs(5)).await;
    Ok(())
}

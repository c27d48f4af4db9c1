//! A client that takes a stream needs no bridge, and no feature of this crate:
//! `cargo run --example stream -- project:region:instance service-account@project.iam database`

#![expect(clippy::print_stdout, reason = "an example shows what came of it")]

use cloudsql_connector::Connector;
use tokio_postgres::{Config, NoTls};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [instance, user, database] = arguments.as_slice() else {
        return Err("usage: stream INSTANCE USER DATABASE".into());
    };

    let connector = Connector::builder().iam_login(true).build()?;
    // The stream is encrypted already, hence no TLS of the client's own.
    let stream = connector.connect(instance).await?;
    let (client, connection) = Config::new()
        .user(user)
        .dbname(database)
        .connect_raw(stream, NoTls)
        .await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("select current_user::text", &[]).await?;
    println!("{}", row.get::<_, String>(0));
    drop(client);
    connection.await??;
    Ok(())
}

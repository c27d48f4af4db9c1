//! PostgreSQL through the bridge, with sqlx.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use cloudsql_connector::{Connector, PgBridge};
use nova_testkit::{
    cloudsql::{Backend, Effect, Fault, Instance, Options, Step},
    postgres::{Database, Postgres},
};
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::oneshot,
};

use crate::support::{INSTANCE, PRINCIPAL, USER, World};

struct Fixture {
    world: World,
    database: Database,
}

impl Fixture {
    async fn start() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let postgres = Postgres::shared().await;
        let database = postgres
            .database("bridge", async |url| {
                let pool = PgPool::connect(&url).await?;
                let role = format!("create role \"{USER}\" login; create role dave login");
                sqlx::raw_sql(sqlx::AssertSqlSafe(role))
                    .execute(&pool)
                    .await?;
                Ok(())
            })
            .await;
        let backend = Backend::Unix(database.socket());
        let world = World::with(Options { backend, ..options }).await;
        Self { world, database }
    }

    fn name(&self) -> String {
        let options: PgConnectOptions = self.database.url.parse().unwrap();
        options.get_database().unwrap().to_owned()
    }

    fn pool(&self, connector: &Connector) -> (PgBridge, PgPool) {
        let bridge = PgBridge::start(connector, INSTANCE).unwrap();
        let options = bridge.options(PRINCIPAL).database(&self.name());
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_lazy_with(options);
        (bridge, pool)
    }
}

async fn who(pool: &PgPool) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select current_user::text")
        .fetch_one(pool)
        .await
}

/// SQLSTATE, message, detail and hint of what sqlx gives its user.
fn told(error: &sqlx::Error) -> (String, String, String, String) {
    let error = error
        .as_database_error()
        .unwrap_or_else(|| panic!("{error}"));
    let error = error.downcast_ref::<PgDatabaseError>();
    let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
    (
        error.code().to_owned(),
        error.message().to_owned(),
        text(error.detail()),
        text(error.hint()),
    )
}

#[tokio::test]
async fn a_pool_logs_in_by_certificate_as_the_service_account() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let (_bridge, pool) = fixture.pool(&connector);
    assert_eq!(who(&pool).await.unwrap(), USER);
}

#[tokio::test]
async fn a_client_that_takes_a_stream_needs_no_bridge() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let stream = connector.connect(INSTANCE).await.unwrap();
    let mut config = tokio_postgres::Config::new();
    config.user(USER).dbname(fixture.name());
    let (client, connection) = config
        .connect_raw(stream, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let row = client.query_one("select current_user::text", &[]).await;
    assert_eq!(row.unwrap().get::<_, String>(0), USER);
}

#[tokio::test]
async fn rows_by_the_megabyte_arrive_whole_in_both_directions() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let (_bridge, pool) = fixture.pool(&connector);
    let sent = "x".repeat(3 << 20);
    let received: String = sqlx::query_scalar("select $1 || $1")
        .bind(&sent)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(received.len(), 6 << 20);
    assert!(received.bytes().all(|byte| byte == b'x'));
}

#[tokio::test]
async fn a_password_user_logs_in_with_its_password() {
    let fixture = Fixture::with(Options {
        password_users: HashMap::from([("dave".to_owned(), "secret".to_owned())]),
        ..Options::default()
    })
    .await;
    let connector = fixture.world.builder().iam_login(false).build().unwrap();
    let bridge = PgBridge::start(&connector, INSTANCE).unwrap();
    let options = bridge.options("dave").database(&fixture.name());
    let pool = PgPool::connect_lazy_with(options.clone().password("secret"));
    assert_eq!(who(&pool).await.unwrap(), "dave");
    let pool = PgPool::connect_lazy_with(options.password("wrong"));
    assert_eq!(told(&who(&pool).await.unwrap_err()).0, "28P01");
}

#[tokio::test]
async fn an_access_token_goes_as_password_where_nobody_logs_in_by_certificate() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.builder().iam_login(false).build().unwrap();
    let bridge = PgBridge::start_with_token_as_password(&connector, INSTANCE).unwrap();
    let pool = PgPool::connect_lazy_with(bridge.options(PRINCIPAL).database(&fixture.name()));
    assert_eq!(who(&pool).await.unwrap(), USER);
}

#[tokio::test]
async fn a_failure_reaches_the_user_of_sqlx_with_its_step_and_remedy() {
    let fixture = Fixture::start().await;
    let refusal = Effect::Reason(403, "notAuthorized", "The client is not authorized.");
    fixture
        .world
        .inject(Fault::new(Step::ConnectSettings, refusal).times(9));
    let connector = fixture.world.connector();
    let (_bridge, pool) = fixture.pool(&connector);
    let (code, message, detail, hint) = told(&who(&pool).await.unwrap_err());
    assert_eq!(code, "08004", "somebody has to do something");
    assert!(message.starts_with("cloudsql: settings: "), "{message}");
    assert!(
        detail.contains(INSTANCE) && detail.contains("HTTP 403"),
        "{detail}"
    );
    assert!(hint.contains("roles/cloudsql.client"), "{hint}");
}

#[tokio::test]
async fn a_login_that_is_refused_is_tried_again_with_a_new_certificate() {
    let fixture = Fixture::start().await;
    for effect in [Effect::Drop, Effect::Status(28)] {
        let connector = fixture.world.connector();
        let (_bridge, pool) = fixture.pool(&connector);
        let before = fixture.world.asked(Step::Certificate);
        fixture.world.inject(Fault::new(Step::Login, effect));
        assert_eq!(who(&pool).await.unwrap(), USER);
        assert_eq!(fixture.world.asked(Step::Certificate) - before, 2);
    }
}

#[tokio::test]
async fn a_user_whom_the_instance_does_not_know_hears_it_from_the_server() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let bridge = PgBridge::start(&connector, INSTANCE).unwrap();
    let pool = PgPool::connect_lazy_with(bridge.options("eve@proj.iam.gserviceaccount.com"));
    let (code, message, ..) = told(&who(&pool).await.unwrap_err());
    assert_eq!(code, "28000", "{message}");
}

#[tokio::test]
async fn another_process_cannot_use_the_bridge() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let (bridge, pool) = fixture.pool(&connector);
    assert_eq!(who(&pool).await.unwrap(), USER);
    let options = bridge.options(PRINCIPAL);
    let socket = options.get_socket().unwrap().to_string_lossy().into_owned();
    let script = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect('\\0' + sys.argv[1] + '/.s.PGSQL.5432')
try:
    s.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
    answer = s.recv(1)
except (BrokenPipeError, ConnectionResetError):
    answer = b''
sys.exit(0 if answer == b'' else 1)";
    let stranger = tokio::process::Command::new("python3")
        .args(["-c", script, socket.trim_start_matches('\0')])
        .status();
    assert!(stranger.await.unwrap().success());
}

#[tokio::test]
async fn a_pool_survives_a_failover() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let (_bridge, pool) = fixture.pool(&connector);
    assert_eq!(who(&pool).await.unwrap(), USER);
    Instance::disconnect_all(&fixture.world.instance);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(who(&pool).await.unwrap(), USER);
}

#[tokio::test]
async fn when_the_bridge_is_gone_its_socket_is_too() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let (bridge, pool) = fixture.pool(&connector);
    assert_eq!(who(&pool).await.unwrap(), USER);
    pool.close().await;
    let options = bridge.options(PRINCIPAL);
    drop(bridge);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let gone = PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(1))
        .connect_with(options)
        .await;
    assert!(gone.is_err());
    assert!(no_tunnel_is_open(&fixture.world).await);
}

/// Within less time than anything that is asked of the database here takes.
async fn no_tunnel_is_open(world: &World) -> bool {
    for _ in 0..250 {
        if world.count().open == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_query_takes_its_tunnel_with_it() {
    let fixture = Fixture::start().await;
    let connector = fixture.world.connector();
    let bridge = PgBridge::start(&connector, INSTANCE).unwrap();
    let options = bridge.options(PRINCIPAL).database(&fixture.name());
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let query = sqlx::raw_sql("select pg_sleep(60)").execute(&mut connection);
    let late = tokio::time::timeout(Duration::from_millis(300), query).await;
    assert!(late.is_err());
    assert_eq!(fixture.world.count().open, 1);
    drop(connection);
    assert!(no_tunnel_is_open(&fixture.world).await);
}

/// `AuthenticationOk` and `ReadyForQuery`.
const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// A server that talks without being listened to, and hears nothing for a moment.
async fn busy_server() -> (Backend, oneshot::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heard) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut startup = vec![0; 1024];
        let length = stream.read(&mut startup).await.unwrap();
        assert!(length > 8);
        let (mut from_client, mut to_client) = stream.into_split();
        to_client.write_all(LET_IN).await.unwrap();
        tokio::spawn(async move {
            let mut notice = b"N\0\x01\0\0".to_vec();
            notice.resize(0x1_0001, 0);
            while to_client.write_all(&notice).await.is_ok() {}
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut all = Vec::new();
        from_client.read_to_end(&mut all).await.unwrap();
        sender.send(all).unwrap();
    });
    (Backend::Tcp(address), heard)
}

#[tokio::test]
async fn what_a_client_says_before_it_leaves_reaches_the_server_whole() {
    let (backend, heard) = busy_server().await;
    let world = World::with(Options {
        backend,
        ..Options::default()
    })
    .await;
    let bridge = PgBridge::start(&world.connector(), INSTANCE).unwrap();
    let options = bridge.options(PRINCIPAL);
    let socket = options.get_socket().unwrap().join(".s.PGSQL.5432");
    let mut client = tokio::net::UnixStream::connect(socket).await.unwrap();
    let startup = format!("\0\x03\0\0user\0{USER}\0\0");
    let length = u32::try_from(startup.len() + 4).unwrap();
    client.write_u32(length).await.unwrap();
    client.write_all(startup.as_bytes()).await.unwrap();
    let mut begun = [0; LET_IN.len()];
    client.read_exact(&mut begun).await.unwrap();
    assert_eq!(begun, LET_IN);
    let mut last = vec![b'x'; 300_000];
    last.extend_from_slice(b"X\0\0\0\x04");
    client.write_all(&last).await.unwrap();
    // It has not read what the server said; the server has not read all that it said.
    drop(client);
    let heard = tokio::time::timeout(Duration::from_secs(10), heard).await;
    assert_eq!(heard.unwrap().unwrap().len(), last.len());
    assert!(no_tunnel_is_open(&world).await);
}

/// A server that says this, and then listens for ever.
async fn silent_server(words: &'static [u8]) -> Backend {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(words).await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.ok();
            });
        }
    });
    Backend::Tcp(address)
}

#[tokio::test]
async fn a_login_that_stalls_in_the_middle_ends_at_the_deadline() {
    for words in [
        &b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"[..],
        b"R\0\0\0\x08\0\0\0\0",
    ] {
        let world = World::with(Options {
            backend: silent_server(words).await,
            ..Options::default()
        })
        .await;
        let limit = Duration::from_secs(2);
        let connector = world.builder().timeout(limit).build().unwrap();
        while connector.warm_up(INSTANCE).await.is_err() {}
        let bridge = PgBridge::start(&connector, INSTANCE).unwrap();
        let options = bridge.options(PRINCIPAL).password("secret");
        let started = Instant::now();
        let login = PgConnection::connect_with(&options);
        let login = tokio::time::timeout(limit * 3, login).await;
        assert!(started.elapsed() < limit + Duration::from_secs(1));
        let (code, message, detail, _) = told(&login.unwrap().unwrap_err());
        assert_eq!(code, "08001");
        assert!(
            message.contains("did not answer the login in time"),
            "{message}"
        );
        assert!(detail.contains(INSTANCE), "{detail}");
        assert!(no_tunnel_is_open(&world).await);
    }
}

#[tokio::test]
async fn another_database_than_postgresql_is_told_and_not_spoken_to() {
    let world = World::with(Options {
        database_version: "MYSQL_8_0".to_owned(),
        ..Options::default()
    })
    .await;
    let bridge = PgBridge::start(&world.connector(), INSTANCE).unwrap();
    let login = PgConnection::connect_with(&bridge.options(PRINCIPAL)).await;
    let (code, message, _, hint) = told(&login.unwrap_err());
    assert_eq!(code, "08004");
    assert!(message.contains("the instance runs MySQL"), "{message}");
    assert!(hint.contains("use a client for MySQL"), "{hint}");
}

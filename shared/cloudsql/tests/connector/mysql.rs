//! MySQL through the bridge: sqlx against Debian's MariaDB.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use cloudsql_connector::{MySqlBridge, tokens::LOGIN_SCOPE};
use nova_testkit::cloudsql::{Backend, Bearer, Effect, Fault, Options, Step};
use sqlx::{Connection as _, MySqlConnection, mysql::MySqlConnectOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Mutex, oneshot},
};

use crate::support::{INSTANCE, PRINCIPAL, World};

/// A throw-away server, gone with its directory when it is dropped.
struct MariaDb {
    server: Child,
    directory: PathBuf,
}

impl MariaDb {
    async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static TURN: Mutex<()> = Mutex::const_new(());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloudsql-mariadb-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&directory));
        std::fs::create_dir_all(&directory).unwrap();
        let data = directory.join("data");
        // One at a time: two that install at once are more than a small machine has room for.
        let _turn = TURN.lock().await;
        let installed = run("mariadb-install-db", &data)
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .status()
            .expect(
                "MariaDB is needed: `make test` installs it, or apt-get install mariadb-server",
            );
        assert!(installed.success());
        let server = run("mariadbd", &data)
            .arg("--skip-networking")
            .arg(format!("--socket={}", directory.join("s").display()))
            .spawn()
            .unwrap();
        let it = Self { server, directory };
        for _ in 0..600 {
            if it.root().await.is_ok() {
                return it;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("MariaDB does not listen");
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }

    async fn root(&self) -> Result<MySqlConnection, sqlx::Error> {
        let options = MySqlConnectOptions::new()
            .socket(self.socket())
            .username("root");
        MySqlConnection::connect_with(&options).await
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

fn run(program: &str, data: &Path) -> Command {
    // Debian keeps servers where only root's shell looks.
    let beside = Path::new("/usr/sbin").join(program);
    let mut command = Command::new(if beside.is_file() {
        beside
    } else {
        program.into()
    });
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // It refuses to run as root unless it is told to.
    let directory = data.parent().unwrap().metadata().unwrap();
    if directory.uid() == 0 {
        command.arg("--user=root");
    }
    command
}

/// An instance with this database behind it.
async fn world(backend: Backend) -> World {
    World::with(Options {
        database_version: "MYSQL_8_0".to_owned(),
        backend,
        ..Options::default()
    })
    .await
}

async fn who(options: &MySqlConnectOptions) -> Result<String, sqlx::Error> {
    let mut connection = MySqlConnection::connect_with(options).await?;
    let user = sqlx::query_scalar("select current_user()")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(user)
}

#[tokio::test]
async fn a_user_with_a_password_asks_and_a_failure_is_told_in_mysqls_words() {
    let server = MariaDb::start().await;
    let mut root = server.root().await.unwrap();
    sqlx::raw_sql("create user dave identified by 'secret'")
        .execute(&mut root)
        .await
        .unwrap();
    let world = world(Backend::Unix(server.socket())).await;
    let connector = world.builder().iam_login(false).build().unwrap();
    let bridge = MySqlBridge::start(&connector, INSTANCE).unwrap();

    let options = bridge.options("dave").password("secret");
    let mut connection = MySqlConnection::connect_with(&options).await.unwrap();
    let user: String = sqlx::query_scalar("select current_user()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(user, "dave@%");
    let long: String = sqlx::query_scalar("select repeat('x', 3000000)")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(long.len(), 3_000_000);
    connection.close().await.unwrap();

    let wrong = MySqlConnection::connect_with(&options.clone().password("wrong")).await;
    assert!(wrong.unwrap_err().to_string().contains("Access denied"));

    world.inject(Fault::new(Step::Tcp, Effect::Drop).times(9));
    world.inject(Fault::new(Step::Tls, Effect::Drop).times(9));
    let (code, message) = told(&options).await;
    assert_eq!(code, "08001");
    assert!(message.starts_with("cloudsql: "), "{message}");
}

/// SQLSTATE and message of what sqlx gives its user.
async fn told(options: &MySqlConnectOptions) -> (String, String) {
    let error = MySqlConnection::connect_with(options).await.unwrap_err();
    let error = error
        .as_database_error()
        .unwrap_or_else(|| panic!("{error}"));
    let code = error.code().unwrap().into_owned();
    (code, error.message().to_owned())
}

#[tokio::test]
async fn what_somebody_has_to_do_something_about_says_so_and_what() {
    let world = world(Backend::Nothing).await;
    let connector = world.connector();
    let bridge = MySqlBridge::start(&connector, INSTANCE).unwrap();
    let options = bridge.options(PRINCIPAL);
    let refusal = Effect::Reason(403, "notAuthorized", "The client is not authorized.");
    world.inject(Fault::new(Step::ConnectSettings, refusal));
    let (code, message) = told(&options).await;
    assert_eq!(code, "08004");
    for part in [
        INSTANCE,
        "not authorized",
        "HTTP 403",
        "roles/cloudsql.client",
    ] {
        assert!(message.contains(part), "{message}");
    }
    connector.close(Duration::ZERO).await;
    assert_eq!(told(&options).await.0, "08003");
}

#[tokio::test]
async fn another_database_than_mysql_is_told_and_not_spoken_to() {
    let world = World::start().await;
    let bridge = MySqlBridge::start(&world.connector(), INSTANCE).unwrap();
    let (code, message) = told(&bridge.options(PRINCIPAL)).await;
    assert_eq!(code, "08004");
    assert!(
        message.contains("the instance runs PostgreSQL"),
        "{message}"
    );
    assert!(message.contains("use a client for PostgreSQL"), "{message}");
}

#[tokio::test]
async fn what_the_server_refuses_after_the_handshake_is_tried_again_with_a_new_certificate() {
    let server = MariaDb::start().await;
    let mut root = server.root().await.unwrap();
    sqlx::raw_sql("create user nova")
        .execute(&mut root)
        .await
        .unwrap();
    let world = world(Backend::Unix(server.socket())).await;
    let connector = world.connector();
    let bridge = MySqlBridge::start(&connector, INSTANCE).unwrap();
    let options = bridge.options(PRINCIPAL);
    assert_eq!(who(&options).await.unwrap(), "nova@%");
    assert_eq!(world.asked(Step::Certificate), 1);

    // By an alert in the place of the greeting …
    world.instance.take_back_client_certificates().unwrap();
    assert_eq!(who(&options).await.unwrap(), "nova@%");
    assert_eq!(world.asked(Step::Certificate), 2);

    // … or without a word.
    world.inject(Fault::new(Step::Login, Effect::Drop));
    assert_eq!(who(&options).await.unwrap(), "nova@%");
    assert_eq!(world.asked(Step::Certificate), 3);
}

#[tokio::test]
async fn a_server_that_never_greets_is_left_in_time_and_told_in_mysqls_words() {
    for (effect, tries, said) in [
        (Effect::Drop, 2, "ended the connection"),
        (Effect::Hang, 1, "did not answer the login in time"),
    ] {
        let world = world(Backend::Nothing).await;
        world.inject(Fault::new(Step::Login, effect).times(9));
        let builder = world.builder().timeout(Duration::from_secs(2));
        let connector = builder.build().unwrap();
        // The key takes its time where all tests want one at once.
        while connector.warm_up(INSTANCE).await.is_err() {}
        let bridge = MySqlBridge::start(&connector, INSTANCE).unwrap();
        let started = Instant::now();
        let error = who(&bridge.options(PRINCIPAL)).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(4));
        let error = error
            .as_database_error()
            .unwrap_or_else(|| panic!("{error}"));
        assert_eq!(error.code().as_deref(), Some("08001"));
        assert!(error.message().contains(said), "{error}");
        assert_eq!(world.cloud.count(Step::Tls), tries);
    }
}

/// Who speaks another protocol is not called twice: a new certificate does not teach it this one.
#[tokio::test]
async fn a_server_that_is_no_mysql_is_told() {
    let (backend, _) = server(async |mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
        stream.read_u8().await.ok();
    })
    .await;
    let world = world(backend).await;
    let bridge = MySqlBridge::start(&world.connector(), INSTANCE).unwrap();
    let error = who(&bridge.options(PRINCIPAL)).await.unwrap_err();
    assert!(error.to_string().contains("protocol of MySQL"), "{error}");
    assert_eq!(world.cloud.count(Step::Tls), 1);
}

/// Serves one connection, and hands over what it made of it.
async fn server<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (Backend, oneshot::Receiver<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, done) = oneshot::channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        sender.send(serve(stream).await).ok();
    });
    (Backend::Tcp(address), done)
}

async fn read_packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let [a, b, c, _number] = head;
    let length = u32::from_le_bytes([a, b, c, 0]);
    let mut content = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut content).await.unwrap();
    content
}

async fn write_packet(stream: &mut TcpStream, number: u8, content: &[u8]) {
    let [a, b, c, _] = u32::try_from(content.len()).unwrap().to_le_bytes();
    stream.write_all(&[a, b, c, number]).await.unwrap();
    stream.write_all(content).await.unwrap();
}

/// Greets, and asks for a password in clear text, as is documented for IAM users of Cloud SQL;
/// hands over the user's name and the password. `MariaDB` has no such login.
async fn asks_in_clear_text() -> (Backend, oneshot::Receiver<(String, String)>) {
    server(async |mut stream| {
        let mut greeting = b"\x0a8.0.36-google\0\x01\0\0\0abcdefgh\0".to_vec();
        greeting.extend_from_slice(b"\xff\xff\x08\x02\0\xff\xdf\x15");
        greeting.extend_from_slice(&[0; 10]);
        greeting.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
        write_packet(&mut stream, 0, &greeting).await;
        let response = read_packet(&mut stream).await;
        write_packet(&mut stream, 2, b"\xfemysql_clear_password\0").await;
        let password = read_packet(&mut stream).await;
        // Texts end with a zero; before the user there are numbers of a fixed size.
        let text = |bytes: &[u8]| {
            let text = bytes.split(|byte| *byte == 0).next().unwrap();
            String::from_utf8(text.to_vec()).unwrap()
        };
        assert_eq!(password.last(), Some(&0));
        (text(&response[32..]), text(&password))
    })
    .await
}

#[tokio::test]
async fn an_iam_user_is_named_without_its_domain_and_says_nothing_when_asked_for_a_password() {
    let (backend, asked) = asks_in_clear_text().await;
    let world = world(backend).await;
    let bridge = MySqlBridge::start(&world.connector(), INSTANCE).unwrap();
    let options = bridge.options(PRINCIPAL);
    tokio::spawn(async move { who(&options).await.map(drop) });
    assert_eq!(asked.await.unwrap(), ("nova".to_owned(), String::new()));
    let Bearer::Known {
        principal, scopes, ..
    } = world.requests(Step::Certificate).remove(0).login_token
    else {
        panic!("no login token");
    };
    assert_eq!(principal, PRINCIPAL);
    assert_eq!(scopes, [LOGIN_SCOPE]);
}

#[tokio::test]
async fn an_access_token_can_be_the_password_where_nobody_logs_in_by_certificate() {
    let (backend, asked) = asks_in_clear_text().await;
    let world = world(backend).await;
    let connector = world.builder().iam_login(false).build().unwrap();
    let bridge = MySqlBridge::start(&connector, INSTANCE).unwrap();
    let token = connector.tokens().token(&[LOGIN_SCOPE]).await.unwrap();
    let options = bridge
        .options("nova")
        .enable_cleartext_plugin(true)
        .password(token.secret());
    tokio::spawn(async move { who(&options).await.map(drop) });
    let wanted = ("nova".to_owned(), token.secret().to_owned());
    assert_eq!(asked.await.unwrap(), wanted);
    let certificate = world.requests(Step::Certificate).remove(0);
    assert_eq!(certificate.login_token, Bearer::None);
}

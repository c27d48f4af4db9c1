//! A network that fails on command, between plain sockets and before a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nova_testkit::postgres::Postgres;
use nova_testkit::proxy::{Direction, FaultProxy, Mode, Upstream};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SILENCE: Duration = Duration::from_millis(150);
const SOON: Duration = Duration::from_secs(10);

/// A server that sends back what it gets.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn proxy_to_echo() -> FaultProxy {
    FaultProxy::start(Upstream::Tcp(echo().await))
        .await
        .unwrap()
}

async fn client(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Says something and hears it back.
async fn talk(client: &mut TcpStream) -> std::io::Result<()> {
    client.write_all(b"hello").await?;
    let mut answer = [0; 5];
    timeout(SOON, client.read_exact(&mut answer))
        .await
        .expect("an answer in time")?;
    assert_eq!(&answer, b"hello");
    Ok(())
}

/// How a connection ends, and what came before.
async fn rest(client: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(SOON, client.read_to_end(&mut bytes))
        .await
        .expect("an end in time");
    (bytes, end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn everything_arrives_and_an_end_is_an_end() {
    let proxy = proxy_to_echo().await;
    let mut client = client(&proxy).await;
    let sent: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut from, mut to) = client.split();
    let mut received = Vec::new();
    let write = async {
        to.write_all(&sent).await?;
        to.shutdown().await
    };
    tokio::try_join!(write, from.read_to_end(&mut received)).unwrap();
    assert!(
        sent == received,
        "{} bytes became {}",
        sent.len(),
        received.len()
    );
    drop(client);
    let ended = async {
        while proxy.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, ended).await.expect("both sides ended");
}

#[tokio::test]
async fn latency_delays_a_byte_but_not_the_next_one_further() {
    let proxy = proxy_to_echo().await;
    let mut client = client(&proxy).await;
    talk(&mut client).await.unwrap();
    proxy.set(Mode::Latency(Duration::from_millis(100)));
    let started = Instant::now();
    let (mut from, mut to) = client.split();
    let write = async {
        for _ in 0..20 {
            to.write_all(b"x").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut answer = [0; 20];
    let (read, ()) = tokio::join!(from.read_exact(&mut answer), write);
    read.unwrap();
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(200),
        "there and back: {took:?}"
    );
    assert!(
        took < Duration::from_secs(2),
        "twenty bytes in a row: {took:?}"
    );
}

#[tokio::test]
async fn a_stall_moves_nothing_and_loses_nothing() {
    let proxy = proxy_to_echo().await;
    let mut open = client(&proxy).await;
    talk(&mut open).await.unwrap();
    proxy.set(Mode::Stall);
    let mut new = client(&proxy).await;
    for client in [&mut open, &mut new] {
        client.write_all(b"hello").await.unwrap();
        assert!(
            timeout(SILENCE, client.read_u8()).await.is_err(),
            "it is silent"
        );
    }
    proxy.set(Mode::Forward);
    for client in [&mut open, &mut new] {
        let mut answer = [0; 5];
        timeout(SOON, client.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&answer, b"hello");
    }
}

#[tokio::test]
async fn a_cut_resets_what_is_open_and_nothing_new() {
    let proxy = proxy_to_echo().await;
    let mut open = client(&proxy).await;
    talk(&mut open).await.unwrap();
    proxy.cut();
    assert_eq!(
        rest(&mut open).await,
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    talk(&mut client(&proxy).await).await.unwrap();
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn a_stalled_connection_can_be_cut() {
    let proxy = proxy_to_echo().await;
    let mut open = client(&proxy).await;
    talk(&mut open).await.unwrap();
    proxy.set(Mode::Stall);
    open.write_all(b"hello").await.unwrap();
    proxy.cut();
    assert_eq!(
        rest(&mut open).await,
        (vec![], Some(ErrorKind::ConnectionReset))
    );
}

#[tokio::test]
async fn refusing_leaves_open_connections_alone() {
    let proxy = proxy_to_echo().await;
    let mut open = client(&proxy).await;
    talk(&mut open).await.unwrap();
    proxy.set(Mode::Refuse);
    let mut refused = client(&proxy).await;
    assert!(talk(&mut refused).await.is_err());
    talk(&mut open).await.unwrap();
    proxy.set(Mode::Forward);
    talk(&mut client(&proxy).await).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_down_reads_as_a_reset() {
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = FaultProxy::start(Upstream::Tcp(address)).await.unwrap();
    assert_eq!(
        rest(&mut client(&proxy).await).await,
        (vec![], Some(ErrorKind::ConnectionReset))
    );
}

#[tokio::test]
async fn an_answer_is_cut_at_the_byte_once() {
    let proxy = proxy_to_echo().await;
    let mut open = client(&proxy).await;
    talk(&mut open).await.unwrap();
    proxy.set(Mode::CutAfter(Direction::ToClient, 7));
    talk(&mut open).await.unwrap();
    open.write_all(b"hello").await.unwrap();
    let mut two = [0; 2];
    // A reset may overtake the bytes before it: then there is nothing to compare.
    if timeout(SOON, open.read_exact(&mut two))
        .await
        .unwrap()
        .is_ok()
    {
        assert_eq!(
            (&two, rest(&mut open).await),
            (b"he", (vec![], Some(ErrorKind::ConnectionReset)))
        );
    }
    assert_eq!(proxy.mode(), Mode::Forward);
    talk(&mut client(&proxy).await).await.unwrap();
}

#[tokio::test]
async fn a_request_is_cut_at_the_byte() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(Upstream::Tcp(listener.local_addr().unwrap()))
        .await
        .unwrap();
    proxy.set(Mode::CutAfter(Direction::ToServer, 3));
    let mut client = client(&proxy).await;
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"hello").await.unwrap();
    assert_eq!(rest(&mut server).await.0, b"hel");
    assert_eq!(
        rest(&mut client).await,
        (vec![], Some(ErrorKind::ConnectionReset))
    );
}

/// The two ways in which a statement can get lost, which look the same to the client.
#[tokio::test]
async fn a_lost_request_was_not_carried_out_and_a_lost_answer_was() {
    let database = Postgres::shared().await.empty_database().await;
    let mut direct = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE done (id int)")
        .execute(&mut direct)
        .await
        .unwrap();
    let proxy = FaultProxy::start(Upstream::Unix(database.socket()))
        .await
        .unwrap();
    let mut count = async || -> i64 {
        // The server may act a moment after the client was cut off.
        tokio::time::sleep(SILENCE).await;
        sqlx::query_scalar("SELECT count(*) FROM done")
            .fetch_one(&mut direct)
            .await
            .unwrap()
    };
    for (lost, rows) in [(Direction::ToServer, 0), (Direction::ToClient, 1)] {
        let mut through = PgConnection::connect(&database.url_at(proxy.address()))
            .await
            .unwrap();
        proxy.set(Mode::CutAfter(lost, 0));
        let error = sqlx::raw_sql("INSERT INTO done VALUES (1)")
            .execute(&mut through)
            .await
            .unwrap_err();
        assert!(matches!(error, sqlx::Error::Io(_)), "{error:?}");
        assert_eq!(count().await, rows, "{lost:?}");
    }
}

//! The tunnel itself: who may have one, and how it carries bytes and ends.

use std::net::SocketAddr;
use std::time::Duration;

use nova_testkit::cloudsql::{Backend, CloudSql, Event, Instance, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::wire::{Key, connect, connect_by_tls12, connect_for};
use crate::{NAME, SOON};

/// A server that says how much it was told, once all is said.
async fn counting_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut said = Vec::new();
                stream.read_to_end(&mut said).await.unwrap();
                let answer = format!("{} bytes", said.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    address
}

/// An instance whose database is not PostgreSQL, so that nothing of what passes is looked at.
async fn unread(cloud: &CloudSql) -> Instance {
    let options = Options {
        backend: Backend::Tcp(counting_server().await),
        database_version: "MYSQL_8_4".to_owned(),
        ..Options::default()
    };
    cloud.instance(NAME, options).await.unwrap()
}

/// The error of the first read: in TLS 1.3 a client's own handshake ends before it is judged.
async fn first_read(instance: &Instance, key: Option<&Key>) -> std::io::Error {
    let mut stream = match connect(instance, key).await {
        Ok(stream) => stream,
        Err(early) => return early,
    };
    let read = timeout(SOON, stream.read_u8())
        .await
        .expect("an end in time");
    read.expect_err("the connection is cut")
}

fn handshake_errors(cloud: &CloudSql) -> Vec<Option<String>> {
    let journal = cloud.journal().into_iter();
    let errors = journal.filter_map(|event| match event {
        Event::Handshake { error, .. } => Some(error),
        _ => None,
    });
    errors.collect()
}

#[tokio::test]
async fn an_expired_certificate_is_refused_when_the_client_first_reads() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    cloud.set_certificate_lifetime(Duration::from_secs(1));
    let key = Key::issued(&cloud, &instance, None).await;
    // Whole seconds: it may have ended at once, and is over for certain after two.
    sleep(Duration::from_millis(2_100)).await;
    let mut stream = connect(&instance, Some(&key))
        .await
        .expect("nothing is read yet");
    let read = timeout(SOON, stream.read_u8())
        .await
        .expect("an end in time");
    read.expect_err("the connection is cut");
    let [Some(error)] = &handshake_errors(&cloud)[..] else {
        panic!("{:?}", cloud.journal())
    };
    assert!(error.contains("expired"), "{error}");
}

#[tokio::test]
async fn without_a_certificate_of_this_instance_nobody_gets_in() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    let other = cloud.instance("proj:europe-west1:other", Options::default());
    let key_of_other = Key::issued(&cloud, &other.await.unwrap(), None).await;
    first_read(&instance, None).await;
    first_read(&instance, Some(&key_of_other)).await;
    assert!(handshake_errors(&cloud).iter().all(Option::is_some));
}

#[tokio::test]
async fn a_certificate_that_was_taken_back_is_refused_and_a_new_one_is_not() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    let old = Key::issued(&cloud, &instance, None).await;
    instance.take_back_client_certificates().unwrap();
    let error = first_read(&instance, Some(&old)).await.to_string();
    assert!(error.contains("alert"), "{error}");
    let [Some(error)] = &handshake_errors(&cloud)[..] else {
        panic!("{:?}", cloud.journal())
    };
    assert!(error.contains("BadSignature"), "{error}");
    let new = Key::issued(&cloud, &instance, None).await;
    let mut stream = connect(&instance, Some(&new)).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let answered = timeout(SOON, stream.read_to_string(&mut answer)).await;
    answered.expect("an answer in time").unwrap();
    assert_eq!(answer, "0 bytes");
}

#[tokio::test]
async fn the_journal_tells_what_a_client_offered() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    let key = Key::issued(&cloud, &instance, None).await;
    connect(&instance, Some(&key)).await.unwrap();
    connect_for(&instance, &key, "db.example", "postgresql")
        .await
        .unwrap();
    connect_by_tls12(&instance).await.unwrap_err();
    let mut seen = Vec::new();
    for event in cloud.journal() {
        if let Event::Handshake {
            version,
            server_name,
            alpn,
            ..
        } = event
        {
            seen.push((version, server_name, alpn));
        }
    }
    let newest = Some("TLSv1_3".to_owned());
    let expected = [
        (newest.clone(), None, vec![]),
        (
            newest,
            Some("db.example".to_owned()),
            vec!["postgresql".to_owned()],
        ),
        (None, None, vec![]),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_client_may_stop_talking_and_still_listen() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    let key = Key::issued(&cloud, &instance, None).await;
    let mut stream = connect(&instance, Some(&key)).await.unwrap();
    stream.write_all(&vec![7; 3_000_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, "3000000 bytes");
}

#[tokio::test]
async fn connections_are_counted_and_cut() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    let key = Key::issued(&cloud, &instance, None).await;
    let mut first = connect(&instance, Some(&key)).await.unwrap();
    let mut second = connect(&instance, Some(&key)).await.unwrap();
    assert_eq!(instance.open_connections(), 2);
    instance.disconnect_all();
    for stream in [&mut first, &mut second] {
        let read = timeout(SOON, stream.read_u8())
            .await
            .expect("an end in time");
        read.expect_err("the connection is cut");
    }
    assert_eq!(instance.open_connections(), 0);
    let closed = cloud.journal().into_iter().filter_map(|event| match event {
        Event::Closed { connection } => Some(connection),
        _ => None,
    });
    let mut closed: Vec<u64> = closed.collect();
    closed.sort_unstable();
    assert_eq!(closed, [1, 2]);
    connect(&instance, Some(&key))
        .await
        .expect("new ones are welcome");
}

#[tokio::test]
async fn each_kind_of_address_is_another_place() {
    let cloud = CloudSql::start().await.unwrap();
    let options = Options {
        private: true,
        psc: true,
        ..Options::default()
    };
    let instance = cloud.instance(NAME, options).await.unwrap();
    let private = instance.private_address().unwrap();
    let psc = instance.psc_address().unwrap();
    for address in [instance.address(), private, psc] {
        assert_eq!(address.port(), 3307);
        assert!(address.ip().is_loopback());
        TcpStream::connect(address).await.unwrap();
    }
    let mut dialled = Vec::new();
    while dialled.len() < 3 {
        let journal = cloud.journal().into_iter();
        let accepted = journal.filter_map(|event| match event {
            Event::Accepted { address, .. } => Some(address),
            _ => None,
        });
        dialled = accepted.collect();
        sleep(Duration::from_millis(5)).await;
    }
    dialled.sort_unstable();
    let mut expected = [instance.address(), private, psc];
    expected.sort_unstable();
    assert_eq!(dialled, expected);
}

#[tokio::test]
async fn nothing_is_left_of_it() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = unread(&cloud).await;
    let key = Key::issued(&cloud, &instance, None).await;
    let mut stream = connect(&instance, Some(&key)).await.unwrap();
    let file = cloud.key_file();
    assert!(file.exists());
    let http: SocketAddr = cloud.metadata_host().parse().unwrap();
    let dns = cloud.dns();
    drop(cloud);
    assert!(!file.exists());
    let read = timeout(SOON, stream.read_u8())
        .await
        .expect("an end in time");
    assert!(read.is_err());
    for address in [http, dns, instance.address()] {
        let closed = async {
            while TcpStream::connect(address).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, closed).await.expect("it listens no more");
    }
}

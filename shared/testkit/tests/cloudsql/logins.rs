//! Who gets in: by the certificate's token, by a token as the password, by a password.

use std::collections::HashMap;
use std::time::Duration;

use nova_testkit::cloudsql::{
    ADMIN_SCOPE, Backend, CloudSql, Event, Instance, LOGIN_SCOPE, LoginMethod, Options,
};
use nova_testkit::postgres::Database;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::wire::{Key, Message, Session, connect};
use crate::{NAME, SERVICE_ACCOUNT, USER, database};

async fn instance(cloud: &CloudSql, database: &Database, options: Options) -> Instance {
    let options = Options {
        backend: Backend::Unix(database.socket()),
        iam_users: vec![USER.to_owned()],
        password_users: HashMap::from([("postgres".to_owned(), "opensesame".to_owned())]),
        ..options
    };
    cloud.instance(NAME, options).await.unwrap()
}

type Client = Session<TlsStream<TcpStream>>;

async fn start(
    instance: &Instance,
    key: &Key,
    user: &str,
    database: &Database,
) -> (Client, Message) {
    let stream = connect(instance, Some(key)).await.unwrap();
    Session::start(stream, user, &database.name).await.unwrap()
}

/// How the last login was to be proven, and why it was refused.
fn last_login(cloud: &CloudSql) -> (LoginMethod, Option<String>) {
    let logins = cloud.journal().into_iter().filter_map(|event| match event {
        Event::Login { how, refused, .. } => Some((how, refused)),
        _ => None,
    });
    logins.last().unwrap()
}

#[tokio::test]
async fn the_certificates_token_logs_its_principal_in() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let instance = instance(&cloud, &database, Options::default()).await;
    let login = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    let key = Key::issued(&cloud, &instance, Some(&login)).await;
    let (mut session, first) = start(&instance, &key, USER, &database).await;
    assert_eq!((first.kind, &first.body[..]), ('R', &[0; 4][..]));
    session.read_until('Z').await.unwrap();
    assert_eq!(session.query("SELECT current_user").await.unwrap(), USER);
    assert_eq!(last_login(&cloud), (LoginMethod::Certificate, None));
}

#[tokio::test]
async fn the_certificates_token_logs_nobody_else_in() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let instance = instance(&cloud, &database, Options::default()).await;
    let login = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    let key = Key::issued(&cloud, &instance, Some(&login)).await;
    for user in ["postgres", "other@proj.iam", SERVICE_ACCOUNT] {
        let (_, first) = start(&instance, &key, user, &database).await;
        assert_eq!(first.field('C'), "28000");
        let message = first.field('M');
        assert!(message.ends_with(&format!("authentication failed for user \"{user}\"")));
        assert!(message.starts_with("Cloud SQL IAM "), "{message}");
        let (how, refused) = last_login(&cloud);
        assert_eq!(how, LoginMethod::Certificate);
        assert!(refused.unwrap().contains(SERVICE_ACCOUNT));
    }
}

#[tokio::test]
async fn a_login_token_is_for_logging_in_and_for_nothing_else() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let broad = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE, ADMIN_SCOPE]);
    for (lenient, kind) in [(false, 'E'), (true, 'R')] {
        let options = Options {
            broad_login_tokens: lenient,
            ..Options::default()
        };
        let instance = instance(&cloud, &database, options).await;
        let key = Key::issued(&cloud, &instance, Some(&broad)).await;
        let (_, first) = start(&instance, &key, USER, &database).await;
        assert_eq!(first.kind, kind);
        let (_, refused) = last_login(&cloud);
        assert_eq!(refused.is_some_and(|it| it.contains("for more")), !lenient);
    }
}

#[tokio::test]
async fn an_unknown_or_expired_login_token_is_refused() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let instance = instance(&cloud, &database, Options::default()).await;
    cloud.set_token_lifetime(Duration::ZERO);
    let expired = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    cloud.set_token_lifetime(Duration::from_mins(1));
    for (token, reason) in [(&*expired, "expired"), ("invented", "unknown")] {
        let key = Key::issued(&cloud, &instance, Some(token)).await;
        let (_, first) = start(&instance, &key, USER, &database).await;
        assert_eq!(first.field('C'), "28000");
        let (_, refused) = last_login(&cloud);
        assert!(refused.unwrap().contains(reason));
    }
}

#[tokio::test]
async fn an_iam_user_without_a_token_in_the_certificate_shows_it_as_the_password() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let instance = instance(&cloud, &database, Options::default()).await;
    let key = Key::issued(&cloud, &instance, None).await;
    let right = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    let others = cloud.token("other@proj.iam.gserviceaccount.com", &[LOGIN_SCOPE]);
    let useless = cloud.token(SERVICE_ACCOUNT, &["https://www.googleapis.com/auth/drive"]);
    for (token, is_right) in [(&right, true), (&others, false), (&useless, false)] {
        let (mut session, first) = start(&instance, &key, USER, &database).await;
        assert_eq!((first.kind, &first.body[..]), ('R', &[0, 0, 0, 3][..]));
        session.send('p', token).await.unwrap();
        let answer = session.read().await.unwrap();
        assert_eq!(last_login(&cloud).0, LoginMethod::Token);
        if is_right {
            session.read_until('Z').await.unwrap();
            assert_eq!(session.query("SELECT current_user").await.unwrap(), USER);
        } else {
            assert_eq!(answer.field('C'), "28000");
        }
    }
}

#[tokio::test]
async fn a_password_is_checked() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let instance = instance(&cloud, &database, Options::default()).await;
    let key = Key::issued(&cloud, &instance, None).await;
    for (user, password, kind) in [
        ("postgres", "opensesame", 'R'),
        ("postgres", "wrong", 'E'),
        ("nobody", "opensesame", 'E'),
    ] {
        let (mut session, _) = start(&instance, &key, user, &database).await;
        session.send('p', password).await.unwrap();
        let answer = session.read().await.unwrap();
        assert_eq!(answer.kind, kind, "{user} {password}");
        assert_eq!(last_login(&cloud).0, LoginMethod::Password);
        if kind == 'E' {
            assert_eq!(answer.field('C'), "28P01");
        }
    }
    let shown = format!("{:?} {instance:?}", cloud.journal());
    assert!(!shown.contains("opensesame"), "{shown}");
}

#[tokio::test]
async fn who_wants_to_encrypt_again_is_told_off() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = cloud.instance(NAME, Options::default()).await.unwrap();
    let key = Key::issued(&cloud, &instance, None).await;
    let mut session = Session(connect(&instance, Some(&key)).await.unwrap());
    session.packet(80_877_103, &[]).await.unwrap();
    assert_eq!(session.read().await.unwrap().field('C'), "08P01");
}

#[tokio::test]
async fn a_database_that_is_down_is_said_to_be() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = cloud.instance(NAME, Options::default()).await.unwrap();
    let login = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    let key = Key::issued(&cloud, &instance, Some(&login)).await;
    let stream = connect(&instance, Some(&key)).await.unwrap();
    let (_, first) = Session::start(stream, USER, "any").await.unwrap();
    assert_eq!(first.field('C'), "57P03");
}

#[tokio::test]
async fn a_query_is_cancelled_through_another_connection() {
    let cloud = CloudSql::start().await.unwrap();
    let database = database().await;
    let instance = instance(&cloud, &database, Options::default()).await;
    let login = cloud.token(SERVICE_ACCOUNT, &[LOGIN_SCOPE]);
    let key = Key::issued(&cloud, &instance, Some(&login)).await;
    let (mut session, _) = start(&instance, &key, USER, &database).await;
    let secret = session.read_until('K').await.unwrap();
    session.read_until('Z').await.unwrap();
    session.send('Q', "SELECT pg_sleep(60)").await.unwrap();
    // Until the server has begun, there is nothing to cancel, and the request is lost.
    let mut cancelled = None;
    for _ in 0..100 {
        let mut other = Session(connect(&instance, Some(&key)).await.unwrap());
        other.packet(80_877_102, &secret.body).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_millis(200), session.read()).await;
        if let Ok(answer) = answer {
            cancelled = Some(answer.unwrap());
            break;
        }
    }
    // A row description may come first.
    let mut answer = cancelled.unwrap();
    while answer.kind != 'E' {
        answer = session.read().await.unwrap();
    }
    assert_eq!(answer.field('C'), "57014");
}

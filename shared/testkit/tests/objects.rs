//! The object store by its wire: what Google's JSON API documents, and the faults it can be told to have.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nova_testkit::objects::{Action, Config, Effect, Fault, ObjectStore};
use serde_json::Value;

const QUANTUM: usize = 256 * 1024;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Result<Bytes, hyper::Error>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(self.body.as_ref().unwrap()).unwrap()
    }

    fn bytes(&self) -> &[u8] {
        self.body.as_ref().unwrap()
    }
}

/// `Err`: no answer at all.
async fn ask(
    url: &str,
    method: Method,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, hyper_util::client::legacy::Error> {
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    // A new client each time: a connection that was cut must not come back from a pool.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request.body(Full::new(body.into())).unwrap())
        .await?;
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}

async fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    ask(url, Method::GET, headers, "").await.unwrap()
}

fn media_url(store: &ObjectStore, name: &str, rest: &str) -> String {
    format!(
        "{}/upload/storage/v1/b/nova/o?uploadType=media&name={name}{rest}",
        store.url
    )
}

fn object_url(store: &ObjectStore, name: &str, rest: &str) -> String {
    format!("{}/storage/v1/b/nova/o/{name}?{rest}", store.url)
}

async fn put(store: &ObjectStore, name: &str, bytes: impl Into<Bytes>) -> Value {
    let headers = [("content-type", "text/plain")];
    let answer = ask(&media_url(store, name, ""), Method::POST, &headers, bytes)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    answer.json()
}

fn crc32c_of(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes())
}

async fn test_store() -> ObjectStore {
    ObjectStore::start(Config::default()).await.unwrap()
}

async fn start_session(store: &ObjectStore, headers: &[(&str, &str)]) -> String {
    let url = format!(
        "{}/upload/storage/v1/b/nova/o?uploadType=resumable&name=big&ifGenerationMatch=0",
        store.url
    );
    let answer = ask(
        &url,
        Method::POST,
        headers,
        r#"{"contentType":"text/x-big"}"#,
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 200);
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(&store.url), "{location}");
    location
}

async fn chunk(session: &str, range: &str, bytes: impl Into<Bytes>) -> Answer {
    ask(session, Method::PUT, &[("content-range", range)], bytes)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_object_is_written_read_described_and_deleted() {
    let store = test_store().await;
    let written = put(&store, "v1%2Fa", "hello").await;
    assert_eq!(
        (&written["name"], &written["size"], &written["crc32c"]),
        (&"v1/a".into(), &"5".into(), &crc32c_of(b"hello").into())
    );

    let read = get(&object_url(&store, "v1%2Fa", "alt=media"), &[]).await;
    assert_eq!((read.status.as_u16(), read.bytes()), (200, &b"hello"[..]));
    assert_eq!(
        read.headers["x-goog-generation"].to_str().unwrap(),
        written["generation"].as_str().unwrap()
    );
    assert_eq!(
        read.headers["x-goog-hash"],
        format!("crc32c={}", crc32c_of(b"hello"))
    );
    assert_eq!(read.headers["content-type"], "text/plain");

    assert_eq!(
        get(&object_url(&store, "v1%2Fa", ""), &[]).await.json(),
        written
    );
    let delete = object_url(&store, "v1%2Fa", "");
    assert_eq!(
        ask(&delete, Method::DELETE, &[], "").await.unwrap().status,
        204
    );
    let again = ask(&delete, Method::DELETE, &[], "").await.unwrap();
    assert_eq!(
        (again.status.as_u16(), &again.json()["error"]["code"]),
        (404, &404.into())
    );
    assert_eq!(
        get(&object_url(&store, "v1%2Fa", "alt=media"), &[])
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_multipart_upload_takes_metadata_before_and_checksums_after_the_bytes() {
    let store = test_store().await;
    let upload = async |before: &str, after: &str| {
        let body = format!(
            "--b1\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{before}\r\n--b1\r\nContent-Type: text/markdown\r\n\r\n--b2\r\n\r\n--b1\r\nContent-Type: application/json\r\n\r\n{after}\r\n--b1--\r\n"
        );
        let url = format!(
            "{}/upload/storage/v1/b/nova/o?uploadType=multipart&name=m",
            store.url
        );
        ask(
            &url,
            Method::POST,
            &[("content-type", "multipart/related; boundary=b1")],
            body,
        )
        .await
        .unwrap()
    };
    let right = format!(r#"{{"crc32c":"{}"}}"#, crc32c_of(b"--b2\r\n"));
    let wrong = format!(r#"{{"crc32c":"{}"}}"#, crc32c_of(b"--b3\r\n"));
    assert_eq!(upload(&wrong, &right).await.status, 400);
    assert_eq!(upload(&right, &wrong).await.status, 400);
    assert_eq!(upload("{", &right).await.status, 400);
    assert!(store.objects("nova").is_empty());

    let written = upload(r#"{"metadata":{"k":"v"}}"#, &right).await.json();
    assert_eq!(
        (
            &written["contentType"],
            &written["size"],
            &written["metadata"]["k"]
        ),
        (&"text/markdown".into(), &"6".into(), &"v".into())
    );
}

#[tokio::test]
async fn preconditions_hold_for_writes_reads_and_deletes() {
    let store = test_store().await;
    let write = async |condition: &str| {
        ask(&media_url(&store, "x", condition), Method::POST, &[], "2")
            .await
            .unwrap()
            .status
            .as_u16()
    };
    let first = put(&store, "x", "1").await["generation"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(write("&ifGenerationMatch=0").await, 412);
    assert_eq!(write("&ifGenerationMatch=7").await, 412);
    assert_eq!(write("&ifGenerationMatch=x").await, 400);
    assert_eq!(write(&format!("&ifGenerationMatch={first}")).await, 200);
    let second = store.objects("nova").first().unwrap().generation;

    let read = async |rest: String| {
        get(&object_url(&store, "x", &rest), &[])
            .await
            .status
            .as_u16()
    };
    assert_eq!(
        read(format!("alt=media&ifGenerationMatch={first}")).await,
        412
    );
    assert_eq!(read(format!("alt=media&generation={first}")).await, 404);
    assert_eq!(read(format!("alt=media&generation={second}")).await, 200);
    assert_eq!(read(format!("ifGenerationNotMatch={second}")).await, 304);
    let delete = async |rest: String| {
        ask(&object_url(&store, "x", &rest), Method::DELETE, &[], "")
            .await
            .unwrap()
            .status
            .as_u16()
    };
    assert_eq!(delete(format!("ifGenerationMatch={first}")).await, 412);
    assert_eq!(delete(format!("generation={first}")).await, 404);
    assert_eq!(delete(format!("ifGenerationMatch={second}")).await, 204);
}

#[tokio::test]
async fn of_many_that_create_the_same_object_one_succeeds() {
    let store = test_store().await;
    let url = media_url(&store, "x", "&ifGenerationMatch=0");
    let answers = futures_util::future::join_all(
        (0..20).map(|n| ask(&url, Method::POST, &[], n.to_string())),
    )
    .await;
    let mut statuses: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(
        (
            statuses.first(),
            statuses.iter().filter(|status| **status == 412).count()
        ),
        (Some(&200), 19)
    );
}

#[tokio::test]
async fn ranges_are_served_as_such() {
    let store = test_store().await;
    put(&store, "x", "0123456789").await;
    let url = object_url(&store, "x", "alt=media");
    let part = get(&url, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status.as_u16(), part.bytes()), (206, &b"234"[..]));
    assert_eq!(part.headers["content-range"], "bytes 2-4/10");
    assert_eq!(get(&url, &[("range", "bytes=-3")]).await.bytes(), b"789");
    assert_eq!(get(&url, &[("range", "bytes=8-")]).await.bytes(), b"89");
    let beyond = get(&url, &[("range", "bytes=10-")]).await;
    assert_eq!(
        (
            beyond.status.as_u16(),
            beyond.headers["content-range"].to_str().unwrap()
        ),
        (416, "bytes */10")
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_by_prefix() {
    let store = test_store().await;
    for name in ["a%2F1", "a%2F2", "a%2F3", "b%2F1"] {
        put(&store, name, "x").await;
    }
    let list = async |rest: &str| {
        get(&format!("{}/storage/v1/b/nova/o?{rest}", store.url), &[])
            .await
            .json()
    };
    let names = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = list("prefix=a%2F&maxResults=2").await;
    assert_eq!(names(&first), ["a/1", "a/2"]);
    let token = first["nextPageToken"].as_str().unwrap().replace('/', "%2F");
    let second = list(&format!("prefix=a%2F&maxResults=2&pageToken={token}")).await;
    assert_eq!(
        (names(&second), second.get("nextPageToken")),
        (vec!["a/3".to_owned()], None)
    );
    assert_eq!(names(&list("").await).len(), 4);
    assert!(names(&list("prefix=c").await).is_empty());
}

#[tokio::test]
async fn a_resumable_upload_confirms_whole_quanta_and_skips_what_it_has() {
    let store = test_store().await;
    let bytes: Vec<u8> = (0..QUANTUM * 2 + 1000)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let bytes = Bytes::from(bytes);
    let session = start_session(&store, &[]).await;

    let status = chunk(&session, "bytes */*", "").await;
    assert_eq!(
        (status.status.as_u16(), status.headers.get("range")),
        (308, None)
    );
    // Not a multiple of the quantum: the rest is not kept.
    let partial = chunk(
        &session,
        &format!("bytes 0-{}/*", QUANTUM + 99),
        bytes.slice(..QUANTUM + 100),
    )
    .await;
    assert_eq!(
        (
            partial.status.as_u16(),
            partial.headers["range"].to_str().unwrap()
        ),
        (308, "bytes=0-262143")
    );
    // A gap is refused, a repetition is not.
    let gap = chunk(
        &session,
        &format!("bytes {}-{}/*", QUANTUM + 1, QUANTUM + 2),
        "ab",
    )
    .await;
    assert_eq!(gap.status, 400);
    let last = bytes.len() - 1;
    let end = chunk(
        &session,
        &format!("bytes 10-{last}/{}", bytes.len()),
        bytes.slice(10..),
    )
    .await;
    assert_eq!(
        (end.status.as_u16(), &end.json()["crc32c"]),
        (200, &crc32c_of(&bytes).into())
    );
    assert_eq!(end.json()["contentType"], "text/x-big");
    // A client that lost the answer asks again and learns it.
    assert_eq!(chunk(&session, "bytes */*", "").await.json(), end.json());
    assert_eq!(
        get(&object_url(&store, "big", "alt=media"), &[])
            .await
            .bytes(),
        &bytes[..]
    );
}

#[tokio::test]
async fn a_resumable_upload_of_unknown_length_ends_with_its_total_or_its_body() {
    let store = test_store().await;
    let session = start_session(&store, &[]).await;
    let quantum = Bytes::from(vec![7; QUANTUM]);
    assert_eq!(
        chunk(&session, "bytes 0-262143/*", quantum.clone())
            .await
            .status,
        308
    );
    assert_eq!(chunk(&session, "bytes */262145", "").await.status, 308);
    assert_eq!(
        chunk(&session, "bytes */262144", "").await.json()["size"],
        "262144"
    );

    ask(&object_url(&store, "big", ""), Method::DELETE, &[], "")
        .await
        .unwrap();
    let session = start_session(&store, &[]).await;
    assert_eq!(
        chunk(&session, "bytes 0-*/*", "all of it").await.json()["size"],
        "9"
    );
    ask(&object_url(&store, "big", ""), Method::DELETE, &[], "")
        .await
        .unwrap();
    let session = start_session(&store, &[]).await;
    assert_eq!(chunk(&session, "bytes */0", "").await.json()["size"], "0");
}

#[tokio::test]
async fn a_session_checks_its_declarations_and_its_precondition_at_the_end() {
    let store = test_store().await;
    let session = start_session(&store, &[("x-upload-content-length", "5")]).await;
    assert_eq!(chunk(&session, "bytes 0-3/4", "four").await.status, 400);
    let session = start_session(&store, &[("x-goog-content-length-range", "2,4")]).await;
    assert_eq!(chunk(&session, "bytes 0-4/5", "fiver").await.status, 400);
    let session = start_session(&store, &[]).await;
    let wrong = format!("crc32c={}", crc32c_of(b"five"));
    let headers = [
        ("content-range", "bytes 0-3/4"),
        ("x-goog-hash", wrong.as_str()),
    ];
    assert_eq!(
        ask(&session, Method::PUT, &headers, "four")
            .await
            .unwrap()
            .status,
        400
    );

    let session = start_session(&store, &[]).await;
    put(&store, "big", "someone was faster").await;
    assert_eq!(chunk(&session, "bytes 0-3/4", "four").await.status, 412);
    let url = format!(
        "{}/upload/storage/v1/b/nova/o?uploadType=resumable&name=big&ifGenerationMatch=0",
        store.url
    );
    assert_eq!(ask(&url, Method::POST, &[], "").await.unwrap().status, 412);
}

#[tokio::test]
async fn a_cancelled_session_answers_499_and_is_gone() {
    let store = test_store().await;
    let session = start_session(&store, &[]).await;
    assert_eq!(
        ask(&session, Method::DELETE, &[], "")
            .await
            .unwrap()
            .status
            .as_u16(),
        499
    );
    assert_eq!(chunk(&session, "bytes 0-3/4", "four").await.status, 404);
    assert!(store.objects("nova").is_empty());
}

#[tokio::test]
async fn a_broken_connection_leaves_a_session_at_a_quantum() {
    let store = test_store().await;
    let session = start_session(&store, &[]).await;
    let cut = u64::try_from(QUANTUM + 5000).unwrap();
    store.inject(Fault::new(Effect::CutRequestAfter(cut)).on(Action::ContinueSession));
    let bytes = Bytes::from(vec![3; QUANTUM * 2]);
    let headers = [("content-range", "bytes 0-524287/524288")];
    assert!(
        ask(&session, Method::PUT, &headers, bytes.clone())
            .await
            .is_err()
    );
    let status = chunk(&session, "bytes */*", "").await;
    assert_eq!(
        (
            status.status.as_u16(),
            status.headers["range"].to_str().unwrap()
        ),
        (308, "bytes=0-262143")
    );
    let end = chunk(
        &session,
        "bytes 262144-524287/524288",
        bytes.slice(QUANTUM..),
    )
    .await;
    assert_eq!(end.json()["crc32c"], crc32c_of(&bytes));
}

#[tokio::test]
async fn objects_survive_a_restart_and_half_written_ones_do_not_appear() {
    let directory =
        std::env::temp_dir().join(format!("nova-objects-test-{}", uuid::Uuid::now_v7()));
    let config = || Config {
        directory: Some(directory.clone()),
        ..Config::default()
    };
    let store = ObjectStore::start(config()).await.unwrap();
    put(&store, "..%2F..%2Fescape", "kept").await;
    let before = put(&store, "..%2F..%2Fescape", "kept, second").await;
    let session = start_session(&store, &[]).await;
    chunk(&session, "bytes 0-262143/*", vec![1; QUANTUM]).await;
    let first_url = store.url.clone();
    drop(store);
    // What a crash between the two renames leaves: bytes of which nothing is known.
    let bucket = directory.join("objects/nova");
    std::fs::write(bucket.join("stray.123"), "x").unwrap();

    let store = ObjectStore::start(config()).await.unwrap();
    assert_eq!(
        get(&object_url(&store, "..%2F..%2Fescape", ""), &[])
            .await
            .json(),
        before
    );
    assert_eq!(store.objects("nova").len(), 1);
    let session = format!("{}{}", store.url, session.strip_prefix(&first_url).unwrap());
    assert_eq!(chunk(&session, "bytes */*", "").await.status, 404);
    let files = std::fs::read_dir(&bucket).unwrap().count();
    assert_eq!(
        (
            files,
            std::fs::read_dir(directory.join("arriving"))
                .unwrap()
                .count()
        ),
        (2, 0)
    );
    let later = put(&store, "new", "x").await;
    assert!(later["generation"].as_str() > before["generation"].as_str());

    drop(store);
    let bytes = std::fs::read_dir(&bucket)
        .unwrap()
        .map(|file| file.unwrap().path());
    let bytes = bytes
        .filter(|path| path.extension().unwrap() != "json")
        .last()
        .unwrap();
    std::fs::write(bytes, "shorter").unwrap();
    let damaged = ObjectStore::start(config()).await;
    assert!(damaged.err().unwrap().to_string().contains("cannot use"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn only_known_buckets_and_bearers_are_served_where_they_are_named() {
    let store = ObjectStore::start(Config {
        buckets: Some(vec!["nova".to_owned()]),
        token: Some("secret".to_owned()),
        ..Config::default()
    })
    .await
    .unwrap();
    let url = format!("{}/storage/v1/b/other/o", store.url);
    assert_eq!(get(&url, &[]).await.status, 401);
    assert_eq!(
        get(&url, &[("authorization", "Bearer wrong")]).await.status,
        401
    );
    assert_eq!(
        get(&url, &[("authorization", "Bearer secret")])
            .await
            .status,
        404
    );
    let url = format!("{}/storage/v1/b/nova", store.url);
    assert_eq!(
        get(&url, &[("authorization", "Bearer secret")])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn faults_happen_as_scripted_and_then_stop() {
    let store = test_store().await;
    put(&store, "v1%2Fx", "0123456789").await;
    let url = object_url(&store, "v1%2Fx", "alt=media");
    let status = async || get(&url, &[]).await.status.as_u16();

    store.inject(
        Fault::new(Effect::Status(503))
            .on(Action::Download)
            .object("v1/")
            .after(1)
            .times(2),
    );
    store.inject(Fault::new(Effect::StatusRetryAfter(429, 7)).object("other"));
    assert_eq!(
        [
            status().await,
            status().await,
            status().await,
            status().await
        ],
        [200, 503, 503, 200]
    );
    let limited = get(&object_url(&store, "other", ""), &[]).await;
    assert_eq!(
        (
            limited.status.as_u16(),
            limited.headers["retry-after"].to_str().unwrap()
        ),
        (429, "7")
    );
    assert!(store.faults_are_used_up());

    store.inject(Fault::new(Effect::CutBefore).on(Action::Delete));
    assert!(
        ask(&object_url(&store, "v1%2Fx", ""), Method::DELETE, &[], "")
            .await
            .is_err()
    );
    assert_eq!(store.objects("nova").len(), 1);

    store.inject(Fault::new(Effect::CutAnswerAfter(4)));
    let cut = get(&url, &[]).await;
    assert!(cut.status == 200 && cut.body.is_err());
    store.inject(Fault::new(Effect::WrongChecksum));
    let wrong = get(&url, &[]).await;
    assert_ne!(
        wrong.headers["x-goog-hash"],
        format!("crc32c={}", crc32c_of(wrong.bytes()))
    );
    store.inject(Fault::new(Effect::FlippedBit));
    assert_eq!(get(&url, &[]).await.bytes(), b"1123456789");
    store.inject(Fault::new(Effect::Delay(Duration::from_millis(120))));
    let begun = Instant::now();
    assert_eq!(status().await, 200);
    assert!(begun.elapsed() >= Duration::from_millis(120));

    store.inject(Fault::new(Effect::CutAfter).on(Action::Delete));
    assert!(
        ask(&object_url(&store, "v1%2Fx", ""), Method::DELETE, &[], "")
            .await
            .is_err()
    );
    assert!(store.objects("nova").is_empty());
    assert_eq!(store.count(Action::Delete), 2);
}

use nova_store::{Error, NewSource, Origin, Purpose, SourceKind};
use serde_json::json;
use time::macros::date;
use uuid::Uuid;

use crate::support::{article, blob, database, store, user, value, within};

fn source(kind: SourceKind, key: &str, position: i64, blob_id: Uuid) -> NewSource {
    NewSource {
        id: Uuid::now_v7(),
        kind,
        key: key.to_owned(),
        title: key.to_owned(),
        position,
        blob_id,
        origin: Origin::default(),
    }
}

#[tokio::test]
async fn a_tool_that_runs_again_replaces_its_sources_and_keeps_their_order() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let alice = user("alice");
    let id = article(&uploads, &alice).await;
    let mut first = Vec::new();
    for (kind, key, position) in [
        (SourceKind::LocalFile, "code.py", 1),
        (SourceKind::ScrapedUrl, "https://b.example/", 2),
        (SourceKind::ScrapedUrl, "https://a.example/", 1),
        (
            SourceKind::GithubIngest,
            "https://github.com/acme/widgets",
            1,
        ),
        (SourceKind::ScrapedResearchUrl, "https://a.example/", 1),
    ] {
        first.push(source(
            kind,
            key,
            position,
            blob(&tools, &alice, Purpose::Scraped).await,
        ));
    }
    within(&tools, &alice, async |t| t.upsert_sources(id, &first).await)
        .await
        .unwrap();
    let again = source(
        SourceKind::ScrapedUrl,
        "https://b.example/",
        2,
        blob(&tools, &alice, Purpose::Scraped).await,
    );
    within(&tools, &alice, async |t| t.upsert_source(id, &again).await)
        .await
        .unwrap();
    within(&tools, &alice, async |t| t.upsert_source(id, &again).await)
        .await
        .unwrap();

    let kept = within(&tools, &alice, async |t| t.document_sources(id).await)
        .await
        .unwrap();
    let titles: Vec<_> = kept
        .iter()
        .map(|source| (source.kind, source.title.as_str()))
        .collect();
    assert_eq!(
        titles,
        [
            (SourceKind::ScrapedResearchUrl, "https://a.example/"),
            (SourceKind::GithubIngest, "https://github.com/acme/widgets"),
            (SourceKind::ScrapedUrl, "https://a.example/"),
            (SourceKind::ScrapedUrl, "https://b.example/"),
            (SourceKind::LocalFile, "code.py"),
        ]
    );
    assert_eq!(kept[3].id, first[1].id);
    assert_eq!(kept[3].blob.id, again.blob_id);
    // The text that was replaced is the sweeper's; nobody else's is.
    let released: Vec<Uuid> = value(
        &database.pool(),
        "SELECT array_agg(id) FROM blobs WHERE state = 'deleting'",
    )
    .await;
    assert_eq!(released, [first[1].blob_id]);

    let nowhere = within(&tools, &alice, async |t| {
        t.upsert_source(Uuid::now_v7(), &again).await
    })
    .await;
    assert!(
        matches!(nowhere, Err(Error::NotFound { what: "article" })),
        "{nowhere:?}"
    );
    let views: i64 = value(
        &database.pool(),
        "SELECT (SELECT count(filename) FROM local_files) * 10000 + (SELECT count(url) FROM scraped_urls) * 1000
              + (SELECT count(github_url) FROM github_ingests) * 100 + (SELECT count(youtube_url) FROM youtube_transcripts) * 10
              + (SELECT count(url) FROM scraped_research_urls)",
    )
    .await;
    assert_eq!(views, 12101, "the names that users know");
}

#[tokio::test]
async fn where_a_source_comes_from_is_kept_and_what_has_not_changed_is_not_replaced() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let (alice, bob) = (user("alice"), user("bob"));
    let id = article(&uploads, &alice).await;
    let (kind, key) = (SourceKind::ScrapedUrl, "a.example/");
    let known = async |who, kind, key: &str| {
        let known = within(&tools, who, async |t| t.known_source(id, kind, key).await);
        known.await.unwrap()
    };
    let origin = Origin {
        title: Some("A page".to_owned()),
        author: Some("Ada, Bob".to_owned()),
        published: Some(date!(2026 - 03 - 01)),
        language: Some("en".to_owned()),
        final_url: Some("https://a.example/home".to_owned()),
        etag: Some("\"1\"".to_owned()),
        last_modified: Some("Sun, 01 Mar 2026 10:00:00 GMT".to_owned()),
        revision: None,
        provider: Some("built_in".to_owned()),
        cost: Some(json!({"credits": 1})),
    };
    let page = NewSource {
        origin: origin.clone(),
        ..source(kind, key, 1, blob(&tools, &alice, Purpose::Scraped).await)
    };
    let text = blob(&tools, &alice, Purpose::LocalFile).await;
    let file = source(SourceKind::LocalFile, "code.py", 1, text);
    let both = [page.clone(), file];
    within(&tools, &alice, async |t| t.upsert_sources(id, &both).await)
        .await
        .unwrap();
    let first = known(&alice, kind, key).await.unwrap();
    assert_eq!((first.id, &first.origin), (page.id, &origin));
    assert!(first.fetched_at.is_some());
    let file = known(&alice, SourceKind::LocalFile, "code.py")
        .await
        .unwrap();
    assert_eq!((file.origin, file.fetched_at), (Origin::default(), None));
    assert!(
        known(&alice, SourceKind::ScrapedResearchUrl, key)
            .await
            .is_none()
    );
    assert!(known(&bob, kind, key).await.is_none());

    let confirm = async |who, key: &str| {
        let confirmed = within(&tools, who, async |t| {
            t.confirm_source(id, kind, key, 7).await
        });
        confirmed.await.unwrap()
    };
    assert!(confirm(&alice, key).await);
    assert!(!confirm(&alice, "b.example/").await);
    assert!(!confirm(&bob, key).await);
    let again = known(&alice, kind, key).await.unwrap();
    assert!(again.fetched_at > first.fetched_at);
    assert_eq!(again.origin, origin);
    let document = within(&tools, &alice, async |t| t.document_sources(id).await);
    let kept = document.await.unwrap();
    assert_eq!(
        kept[0].created_at, kept[0].updated_at,
        "its text was not replaced"
    );
    assert_eq!(kept[0].page_title.as_deref(), Some("A page"));

    let changed = NewSource {
        origin: Origin::default(),
        ..source(kind, key, 1, blob(&tools, &alice, Purpose::Scraped).await)
    };
    within(&tools, &alice, async |t| {
        t.upsert_source(id, &changed).await
    })
    .await
    .unwrap();
    let changed = known(&alice, kind, key).await.unwrap();
    assert_eq!((changed.id, changed.origin), (page.id, Origin::default()));
}

#[tokio::test]
async fn a_local_file_is_deleted_and_nothing_else() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let alice = user("alice");
    let id = article(&uploads, &alice).await;
    let mut kept = Vec::new();
    for (kind, key) in [
        (SourceKind::LocalFile, "a.md"),
        (SourceKind::LocalFile, "b.md"),
        (SourceKind::ScrapedUrl, "a.md"),
    ] {
        let text = blob(&uploads, &alice, Purpose::LocalFile).await;
        kept.push(source(kind, key, 1, text));
    }
    within(&uploads, &alice, async |t| {
        t.upsert_sources(id, &kept).await
    })
    .await
    .unwrap();
    let delete = async |kind, key: &'static str, owner: &'static str| {
        let owner = user(owner);
        within(&uploads, &owner, async |t| {
            t.delete_source(id, kind, key).await
        })
        .await
    };
    delete(SourceKind::LocalFile, "a.md", "alice")
        .await
        .unwrap();
    for (kind, key, owner) in [
        (SourceKind::LocalFile, "a.md", "alice"),
        (SourceKind::LocalFile, "b.md", "bob"),
        (SourceKind::ScrapedUrl, "a.md", "alice"),
    ] {
        let missing = delete(kind, key, owner).await;
        assert!(
            matches!(missing, Err(Error::NotFound { what: "source" })),
            "{key} of {owner}: {missing:?}"
        );
    }
    let left = within(&uploads, &alice, async |t| t.document_sources(id).await)
        .await
        .unwrap();
    let left: Vec<_> = left.iter().map(|it| (it.kind, it.title.as_str())).collect();
    assert_eq!(
        left,
        [
            (SourceKind::ScrapedUrl, "a.md"),
            (SourceKind::LocalFile, "b.md")
        ]
    );
    let released: Vec<Uuid> = value(
        &database.pool(),
        "SELECT array_agg(id) FROM blobs WHERE state = 'deleting'",
    )
    .await;
    assert_eq!(released, [kept[0].blob_id]);
}

#[tokio::test]
async fn sources_are_held_by_one_at_a_time_and_only_those_of_one_article() {
    let database = database().await;
    let uploads = store(&database, "upload");
    let alice = user("alice");
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut first = uploads.tenant(&alice).await.unwrap();
    first.hold_sources(one).await.unwrap();
    first.hold_sources(one).await.unwrap();
    within(&uploads, &alice, async |t| t.hold_sources(other).await)
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let (uploads, alice) = (uploads.clone(), alice.clone());
        async move { within(&uploads, &alice, async |t| t.hold_sources(one).await).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while value::<i64>(&database.pool(), waits).await == 0 {
        tokio::task::yield_now().await;
    }
    first.commit().await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_text_is_replaced_while_it_is_the_one_that_is_known_and_by_its_owner() {
    let database = database().await;
    let (uploads, tools) = (store(&database, "upload"), store(&database, "research"));
    let (alice, bob) = (user("alice"), user("bob"));
    let id = article(&uploads, &alice).await;
    let kind = SourceKind::ScrapedUrl;
    let key = "https://a.example/";
    let [first, second, third] = [
        blob(&tools, &alice, Purpose::Scraped).await,
        blob(&tools, &alice, Purpose::Scraped).await,
        blob(&tools, &alice, Purpose::Scraped).await,
    ];
    let mut page = source(kind, key, 7, first);
    page.origin.etag = Some("\"1\"".to_owned());
    within(&tools, &alice, async |t| t.upsert_source(id, &page).await)
        .await
        .unwrap();
    for (who, texts, replaced) in [
        (&bob, [first, second], false),
        (&alice, [first, second], true),
        (&alice, [first, third], false),
        (&alice, [second, second], true),
    ] {
        let done = within(&tools, who, async |t| {
            t.replace_text(id, kind, key, texts, "cleaned").await
        });
        assert_eq!(done.await.unwrap(), replaced, "{who:?}: {texts:?}");
    }
    let known = within(&tools, &alice, async |t| {
        t.known_source(id, kind, key).await
    });
    let known = known.await.unwrap().unwrap();
    assert_eq!(known.blob.id, second);
    assert_eq!(known.origin.revision.as_deref(), Some("cleaned"));
    assert_eq!(
        known.origin.etag.as_deref(),
        Some("\"1\""),
        "all else stays"
    );
}

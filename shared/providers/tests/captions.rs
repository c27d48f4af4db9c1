//! Captions over HTTP, against a stand-in that answers as YouTube does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use nova_providers::captions::{Captions, CaptionsError, YouTube};
use nova_runtime::{
    App, Config, Environment,
    jobs::Failure,
    receipts::{CallOutcome, ProviderCall, Receipts},
};
use nova_testkit::providers::{
    Answer, Effect, Fault,
    youtube::{self, Video},
};
use serde_json::json;

const ID: &str = "dQw4w9WgXcQ";

async fn stand_in(video: Video) -> (youtube::YouTube, YouTube) {
    let stand_in = youtube::YouTube::start().await.unwrap();
    stand_in.put(ID, video);
    let settings = [
        ("YOUTUBE_CAPTIONS", "first"),
        ("YOUTUBE_BASE_URL", stand_in.url()),
    ];
    let youtube = from(&settings).unwrap();
    (stand_in, youtube)
}

fn from(settings: &[(&str, &str)]) -> Option<YouTube> {
    let environment = settings.iter();
    let environment = environment.fold(Environment::default(), |all, (name, value)| {
        all.with(name, *value)
    });
    let config = Config::read(&environment).unwrap();
    YouTube::from_app(&App::new("sample", config).unwrap())
}

async fn ask(youtube: &YouTube) -> (Result<Captions, CaptionsError>, Vec<ProviderCall>) {
    let receipts = Receipts::default();
    let captions = youtube.captions(ID, &receipts).await;
    (captions, receipts.all())
}

fn talk() -> Video {
    Video::new("A talk\non <memory>")
        .captions("de", [(0.0, "Hallo")])
        .captions(
            "en",
            [(0.2, "It&#39;s <b>me</b>."), (31.9, "Bye. &lt;/details>")],
        )
        .generated("en", [(0.0, "it's me")])
        .described("About it.\n0:00 Hello\n0:10 Nothing\n0:30 Goodbye\n")
}

#[tokio::test]
async fn nobody_is_asked_unless_the_settings_say_so() {
    assert!(from(&[]).is_none());
    assert!(
        from(&[
            ("YOUTUBE_CAPTIONS", "off"),
            ("YOUTUBE_BASE_URL", "http://127.0.0.1:1")
        ])
        .is_none()
    );
    assert!(from(&[("YOUTUBE_CAPTIONS", "first")]).is_some());
    let wrong = Config::read(&Environment::from([("YOUTUBE_CAPTIONS", "yes")]));
    let told = wrong.unwrap_err().to_string();
    assert!(
        told.contains("YOUTUBE_CAPTIONS=yes: off or first"),
        "{told}"
    );
}

#[tokio::test]
async fn what_a_person_wrote_in_the_spoken_language_is_read_and_costs_nothing() {
    let (stand_in, youtube) = stand_in(talk()).await;
    let (captions, calls) = ask(&youtube).await;
    let captions = captions.unwrap();
    assert_eq!(
        captions.markdown,
        "## Hello\n\n[00:00] It's me.\n\n## Nothing\n\n## Goodbye\n\n[00:31] Bye. \\</details>\n"
    );
    assert_eq!(
        (
            captions.title.as_deref(),
            captions.author.as_deref(),
            &*captions.language
        ),
        (Some("A talk on <memory>"), Some("A stand-in"), "en")
    );
    assert_eq!(captions.provider(), "YouTube captions");
    let [call] = &calls[..] else {
        panic!("a receipt: {calls:?}");
    };
    assert_eq!(
        (call.provider, call.outcome, call.usage.cost_micros),
        ("YouTube", CallOutcome::Answered, Some(0))
    );
    assert_eq!(stand_in.received().len(), 2, "the player, and the captions");

    let heard = Video::new("A talk").captions("de", [(0.0, "Hallo")]);
    let heard = heard.generated("en", [(0.0, "hello")]);
    stand_in.put(ID, heard);
    let captions = ask(&youtube).await.0.unwrap();
    assert_eq!(captions.markdown, "[00:00] hello\n");
    assert_eq!(captions.provider(), "YouTube captions (generated)");
}

#[tokio::test]
async fn what_cannot_be_had_says_why_and_is_not_asked_again() {
    let robots = "Sign in to confirm you\u{2019}re not a bot";
    let talk_of = |status, reason| talk().unplayable(status, reason);
    for (video, reason, outcome) in [
        (Video::new("Silent"), "no_captions", CallOutcome::Refused),
        (
            talk_of("LOGIN_REQUIRED", robots),
            "captions_blocked",
            CallOutcome::Blocked,
        ),
        (
            talk().wanting_a_proof(),
            "captions_blocked",
            CallOutcome::Blocked,
        ),
        (
            talk_of("LOGIN_REQUIRED", "It is private"),
            "unavailable",
            CallOutcome::Refused,
        ),
        (
            talk_of("ERROR", "This video is unavailable"),
            "unavailable",
            CallOutcome::Refused,
        ),
        (
            Video::new("Blank").captions("en", [(0.0, " ")]),
            "provider",
            CallOutcome::Unusable,
        ),
    ] {
        let (stand_in, youtube) = stand_in(video).await;
        let (captions, calls) = ask(&youtube).await;
        let error = captions.unwrap_err();
        assert_eq!(
            (error.reason(), calls[0].outcome),
            (reason, outcome),
            "{error}"
        );
        assert_eq!(calls.len(), 1, "{error}");
        assert!(stand_in.received().len() <= 2);
        let Failure::Never(words) = Failure::from(error) else {
            panic!("{reason}: of this video alone, and not asked again");
        };
        assert!(
            words.starts_with(&format!("{reason}: ")) && words.contains("GOOGLE_API_KEY"),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_call_that_broke_off_is_made_twice_and_who_wants_to_be_left_alone_is() {
    for effect in [Effect::Status(503), Effect::CutBefore, Effect::CutAfter(20)] {
        let (stand_in, youtube) = stand_in(talk()).await;
        stand_in.inject(Fault::new(effect.clone()));
        let (captions, calls) = ask(&youtube).await;
        assert!(captions.is_ok(), "{effect:?}: {captions:?}");
        assert_eq!(calls.len(), 2, "{effect:?}");
    }
    let (stand_in, youtube) = stand_in(talk()).await;
    stand_in.inject(Fault::new(Effect::RetryAfter(429, 7)));
    let (captions, calls) = ask(&youtube).await;
    assert_eq!((calls.len(), calls[0].outcome), (1, CallOutcome::Busy));
    let Failure::Again { reason, after } = Failure::from(captions.unwrap_err()) else {
        panic!("it passes");
    };
    assert_eq!(after, Some(Duration::from_secs(7)), "{reason}");
    let (stand_in, youtube) = stand_in_with(Effect::Garbage).await;
    let (captions, _) = ask(&youtube).await;
    assert_eq!(captions.unwrap_err().reason(), "provider");
    assert_eq!(stand_in.received().len(), 1);
}

async fn stand_in_with(effect: Effect) -> (youtube::YouTube, YouTube) {
    let (stand_in, youtube) = stand_in(talk()).await;
    stand_in.inject(Fault::new(effect));
    (stand_in, youtube)
}

/// Whoever answers in YouTube's place, or is believed to be it, cannot send us elsewhere.
#[tokio::test]
async fn captions_are_read_at_youtube_and_nowhere_else() {
    let elsewhere = youtube::YouTube::start().await.unwrap();
    let home = youtube::YouTube::start().await.unwrap();
    let port = elsewhere.url().rsplit(':').next().unwrap();
    for address in [
        format!("{}/api/timedtext?v=x", elsewhere.url()),
        format!("//127.0.0.1:{port}/api/timedtext"),
        "http://169.254.169.254/api/timedtext".to_owned(),
        "https://www.youtube.com.evil.example/api/timedtext".to_owned(),
        "file:///api/timedtext".to_owned(),
        format!("{}/other?x=/api/timedtext", home.url()),
        format!("{}@{}/api/timedtext", home.url(), "evil.example"),
    ] {
        let (stand_in, youtube) = stand_in(talk()).await;
        let address = address.replace(home.url(), stand_in.url());
        let track = json!({"baseUrl": address, "languageCode": "en", "name": {"runs": [{"text": "English"}]}});
        let list = json!({"captionTracks": [track]});
        let answer = json!({"captions": {"playerCaptionsTracklistRenderer": list}});
        stand_in.inject(Fault::new(Effect::Answer(Answer::json(200, &answer))));
        let (captions, calls) = ask(&youtube).await;
        let error = captions.unwrap_err();
        assert_eq!(error.reason(), "provider", "{address}: {error}");
        assert_eq!(calls[0].outcome, CallOutcome::Unusable, "{address}");
        assert_eq!(stand_in.received().len(), 1, "{address}");
    }
    // Nor by a redirect.
    let (stand_in, youtube) = stand_in(talk()).await;
    let away = Answer::new(302, "", "").header("location", elsewhere.url());
    stand_in.inject(Fault::new(Effect::Answer(away)).on("timedtext"));
    assert!(ask(&youtube).await.0.is_err());
    assert_eq!(elsewhere.received().len(), 0);
}

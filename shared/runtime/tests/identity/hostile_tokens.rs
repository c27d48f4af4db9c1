//! Every way we know to get past a verifier of tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use nova_runtime::identity::Scope;
use nova_testkit::issuer::SigningKey;
use serde_json::{Value, json};

use crate::{AUDIENCE, HOUR, KEY_SET, Trust};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Trust {
    fn claims(&self) -> Value {
        self.issuer
            .claims("alice", &["research:run"], AUDIENCE, HOUR)
    }

    /// A token of the issuer with one claim replaced; `null` removes it.
    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        self.issuer.sign(&self.issuer.header(), &claims)
    }

    /// A token of the issuer with one header field replaced; `null` removes it.
    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.issuer.header();
        if value.is_null() {
            header.as_object_mut().unwrap().remove(name);
        } else {
            header[name] = value;
        }
        self.issuer.sign(&header, &self.claims())
    }
}

#[tokio::test]
async fn a_good_token_gives_user_scopes_client_and_end() {
    let trust = Trust::new().await;
    for _first_then_from_memory in 0..2 {
        let identity = trust.verifier.verify(&trust.token()).await.unwrap();
        assert_eq!(identity.user.as_str(), "alice");
        assert!(identity.may(&[Scope::ResearchRead, Scope::ResearchRun]));
        assert!(!identity.may(&[Scope::Admin]));
        assert_eq!(identity.client_id.as_deref(), Some("local"));
        let left = identity
            .expires_at
            .duration_since(SystemTime::now())
            .unwrap();
        assert!(
            left <= HOUR && left + Duration::from_secs(30) > HOUR,
            "{left:?}"
        );
    }
}

#[tokio::test]
async fn rs256_is_accepted_beside_es256() {
    let trust = Trust::new().await;
    let es256 = trust.token();
    trust
        .issuer
        .rotate_to(SigningKey::test_only_rs256().unwrap());
    let rs256 = trust.token();
    assert_eq!(trust.judge(&es256).await, Ok("alice".to_owned()));
    assert_eq!(trust.judge(&rs256).await, Ok("alice".to_owned()));
}

#[tokio::test]
async fn tokens_without_an_asymmetric_signature_are_refused() {
    let trust = Trust::new().await;
    trust
        .issuer
        .rotate_to(SigningKey::test_only_rs256().unwrap());
    assert!(trust.accepts(&trust.token()).await);
    let claims = trust.claims();
    for alg in [
        "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS384", "PS256", "ES384",
        "EdDSA", "es256", "RS256 ", "",
    ] {
        let mut header = trust.issuer.header();
        header["alg"] = json!(alg);
        let message = format!("{}.{}", part(&header), part(&claims));
        for token in [
            format!("{message}."),
            trust.issuer.signing_key().sign_parts(&message),
        ] {
            assert_eq!(
                trust.judge(&token).await,
                Err("Algorithm".to_owned()),
                "{alg:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let trust = Trust::new().await;
    trust
        .issuer
        .rotate_to(SigningKey::test_only_rs256().unwrap());
    let jwk = trust.issuer.signing_key().public_jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let mut header = trust.issuer.header();
    header["alg"] = json!("HS256");
    let message = format!("{}.{}", part(&header), part(&trust.claims()));
    for secret in [
        modulus.as_slice(),
        jwk.to_string().as_bytes(),
        STANDARD.encode(&modulus).as_bytes(),
        b"",
    ] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
        let token = format!("{message}.{signature}");
        assert_eq!(trust.judge(&token).await, Err("Algorithm".to_owned()));
    }
}

#[tokio::test]
async fn a_key_is_used_for_its_own_algorithm_only() {
    let trust = Trust::new().await;
    let elliptic = trust.issuer.signing_key();
    trust
        .issuer
        .rotate_to(SigningKey::test_only_rs256().unwrap());
    let rsa = trust.issuer.signing_key();
    assert!(trust.accepts(&trust.token()).await);
    let asked = trust.issuer.requests(KEY_SET);
    for (key, alg) in [(&elliptic, "RS256"), (&rsa, "ES256")] {
        let header = json!({"alg": alg, "kid": key.id(), "typ": "at+jwt"});
        let token = key.sign(&header, &trust.claims());
        assert_eq!(
            trust.judge(&token).await,
            Err("Algorithm".to_owned()),
            "{alg}"
        );
    }
    // The right algorithm and another key's id.
    let header = json!({"alg": "ES256", "kid": rsa.id()});
    assert!(
        !trust
            .accepts(&elliptic.sign(&header, &trust.claims()))
            .await
    );
    assert_eq!(
        trust.issuer.requests(KEY_SET),
        asked,
        "no reason to ask the issuer again"
    );
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_ignored() {
    let trust = Trust::new().await;
    let attacker = SigningKey::generate().unwrap();
    let fields = [
        ("jwk", attacker.public_jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIB"])),
    ];
    for (name, value) in fields {
        // A forger's key is not believed, with the issuer's key id or the forger's own.
        for kid in [trust.issuer.signing_key().id(), attacker.id()] {
            let header = json!({"alg": "ES256", "kid": kid, name: value});
            let token = attacker.sign(&header, &trust.claims());
            assert!(!trust.accepts(&token).await, "{name}");
        }
        // The same field in an honest token does no harm.
        assert!(
            trust.accepts(&trust.with_header(name, value)).await,
            "{name}"
        );
    }
}

#[tokio::test]
async fn key_ids_are_compared_and_never_interpreted() {
    let trust = Trust::new().await;
    assert!(trust.accepts(&trust.token()).await);
    let attacker = SigningKey::generate().unwrap();
    for kid in [
        "../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        "http://evil.example/k",
        "\u{0}",
        "%00",
        "*",
        &"k".repeat(4_000),
    ] {
        let token = attacker.sign(&json!({"alg": "ES256", "kid": kid}), &trust.claims());
        assert_eq!(
            trust.judge(&token).await,
            Err("UnknownKey".to_owned()),
            "{kid:?}"
        );
    }
    for kid in [json!(1), json!(["a"]), json!({"a": 1}), json!(true)] {
        let token = attacker.sign(&json!({"alg": "ES256", "kid": kid}), &trust.claims());
        assert_eq!(
            trust.judge(&token).await,
            Err("Malformed".to_owned()),
            "{kid:?}"
        );
    }
}

#[tokio::test]
async fn without_a_key_id_only_a_key_that_is_alone_is_used() {
    let trust = Trust::new().await;
    let anonymous = trust.with_header("kid", Value::Null);
    assert!(trust.accepts(&anonymous).await);
    trust
        .issuer
        .rotate_to(SigningKey::test_only_rs256().unwrap());
    trust.clock.advance(HOUR);
    let fresh = trust.with_claim("exp", json!(seconds(SystemTime::now() + 10 * HOUR)));
    assert!(
        trust.accepts(&fresh).await,
        "the other key has another algorithm"
    );
    trust.issuer.rotate_to(SigningKey::generate().unwrap());
    trust.clock.advance(HOUR);
    let mut claims = trust.claims();
    claims["exp"] = json!(seconds(SystemTime::now() + 10 * HOUR));
    let ambiguous = trust.issuer.sign(&json!({"alg": "ES256"}), &claims);
    assert_eq!(trust.judge(&ambiguous).await, Err("UnknownKey".to_owned()));
}

#[tokio::test]
async fn headers_that_must_be_understood_and_are_not_refuse_the_token() {
    let trust = Trust::new().await;
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!([]),
        json!("b64"),
        json!(false),
    ] {
        let token = trust.with_header("crit", crit);
        assert_eq!(trust.judge(&token).await, Err("Header".to_owned()));
    }
    let with_null = {
        let message = format!(
            r#"{{"alg":"ES256","kid":"{}","crit":null}}"#,
            trust.issuer.signing_key().id()
        );
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(message),
            part(&trust.claims())
        );
        trust.issuer.signing_key().sign_parts(&message)
    };
    assert_eq!(trust.judge(&with_null).await, Err("Header".to_owned()));
}

#[tokio::test]
async fn only_access_tokens_are_credentials() {
    let trust = Trust::new().await;
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(
            trust.accepts(&trust.with_header("typ", json!(typ))).await,
            "{typ}"
        );
    }
    assert!(trust.accepts(&trust.with_header("typ", Value::Null)).await);
    for typ in ["logout+jwt", "dpop+jwt", "nova-id+jwt", "secevent+jwt", ""] {
        let token = trust.with_header("typ", json!(typ));
        assert_eq!(
            trust.judge(&token).await,
            Err("Header".to_owned()),
            "{typ:?}"
        );
    }
}

#[tokio::test]
async fn a_changed_token_is_refused_even_after_the_honest_one_was_accepted() {
    let trust = Trust::new().await;
    let honest = trust.token();
    assert!(trust.accepts(&honest).await);
    let parts: Vec<&str> = honest.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        panic!("three parts")
    };
    let mut raised = trust.claims();
    raised["sub"] = json!("root");
    raised["scope"] = json!("admin");
    let tampered = format!("{header}.{}.{signature}", part(&raised));
    assert_eq!(trust.judge(&tampered).await, Err("Signature".to_owned()));
    for position in 0..signature.len() {
        let mut bytes = signature.as_bytes().to_vec();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(bytes).unwrap();
        let token = format!("{header}.{claims}.{other}");
        assert!(
            !trust.accepts(&token).await,
            "signature changed at {position}"
        );
    }
}

#[tokio::test]
async fn degenerate_signatures_are_refused() {
    let trust = Trust::new().await;
    let message = format!("{}.{}", part(&trust.issuer.header()), part(&trust.claims()));
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    // CVE-2022-21449: zero is a valid signature for anything where nobody checks the range.
    let signatures = [
        vec![],
        vec![0; 64],
        [order, order].concat(),
        vec![0; 63],
        vec![0; 65],
        vec![0x30, 6, 2, 1, 1, 2, 1, 1],
    ];
    for signature in signatures {
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(
            trust.judge(&token).await,
            Err("Signature".to_owned()),
            "{signature:?}"
        );
    }
}

#[tokio::test]
async fn other_issuers_and_audiences_are_refused() {
    let trust = Trust::new().await;
    let url = trust.issuer.url();
    for iss in [
        json!("https://evil.example"),
        json!(""),
        json!(url.to_uppercase()),
        json!(format!("{url}//")),
        json!(format!("{url}.evil.example")),
        json!(format!(" {url}")),
        Value::Null,
    ] {
        let token = trust.with_claim("iss", iss.clone());
        assert_eq!(trust.judge(&token).await, Err("Issuer".to_owned()), "{iss}");
    }
    for aud in [
        json!("https://other.test"),
        json!([]),
        json!(["https://other.test"]),
        json!(""),
        json!("https://nova.test.evil.example"),
        json!("HTTPS://NOVA.TEST"),
        json!("https://nova.test https://x"),
        Value::Null,
    ] {
        let token = trust.with_claim("aud", aud.clone());
        assert_eq!(
            trust.judge(&token).await,
            Err("Audience".to_owned()),
            "{aud}"
        );
    }
    for aud in [
        json!([url]),
        json!(["https://other.test", AUDIENCE]),
        json!([AUDIENCE, AUDIENCE]),
        json!("https://nova.test/"),
    ] {
        let token = trust.with_claim("aud", aud.clone());
        let is_ours = aud != json!([url]);
        assert_eq!(trust.accepts(&token).await, is_ours, "{aud}");
    }
    for (name, value) in [
        ("aud", json!({"a": AUDIENCE})),
        ("aud", json!([1])),
        ("iss", json!([url])),
        ("sub", json!(7)),
    ] {
        let token = trust.with_claim(name, value.clone());
        assert_eq!(
            trust.judge(&token).await,
            Err("Claims".to_owned()),
            "{name} {value}"
        );
    }
}

#[tokio::test]
async fn a_token_counts_from_its_start_to_its_end_with_a_minute_of_skew() {
    let trust = Trust::new().await;
    let now = seconds(SystemTime::now());
    let cases = [
        ("exp", json!(now - 61), Err("Expired")),
        ("exp", json!(now - 50), Ok(())),
        ("exp", json!(0.5 + 4e9), Ok(())),
        ("exp", json!(0), Err("Expired")),
        ("exp", json!(-1), Err("Expired")),
        ("exp", json!(-1e300), Err("Expired")),
        ("exp", json!(1e300), Ok(())),
        ("exp", json!(u64::MAX), Ok(())),
        ("exp", Value::Null, Err("Claims")),
        ("exp", json!("4000000000"), Err("Claims")),
        ("exp", json!(true), Err("Claims")),
        ("exp", json!([now + 100]), Err("Claims")),
        ("nbf", json!(now + 50), Ok(())),
        ("nbf", json!(now + 120), Err("NotYetValid")),
        ("nbf", json!(1e300), Err("NotYetValid")),
        ("nbf", Value::Null, Ok(())),
        ("iat", json!(now + 120), Err("NotYetValid")),
        ("iat", Value::Null, Ok(())),
    ];
    for (name, value, expected) in cases {
        let token = trust.with_claim(name, value.clone());
        let judged = trust.judge(&token).await;
        assert_eq!(
            judged.as_ref().map(|_| ()).map_err(String::as_str),
            expected,
            "{name} {value}"
        );
    }
}

#[tokio::test]
async fn an_accepted_token_ends_on_time_although_it_is_remembered() {
    let trust = Trust::new().await;
    let token = trust
        .issuer
        .token("alice", &[], AUDIENCE, Duration::from_mins(10));
    assert!(trust.accepts(&token).await);
    trust.clock.advance(Duration::from_mins(10));
    assert!(trust.accepts(&token).await, "within the skew");
    trust.clock.advance(Duration::from_mins(1));
    assert_eq!(trust.judge(&token).await, Err("Expired".to_owned()));
}

#[tokio::test]
async fn a_subject_that_is_no_user_id_is_refused() {
    let trust = Trust::new().await;
    for sub in [
        json!(""),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!("x".repeat(256)),
        Value::Null,
    ] {
        let token = trust.with_claim("sub", sub.clone());
        assert_eq!(
            trust.judge(&token).await,
            Err("Subject".to_owned()),
            "{sub}"
        );
    }
}

#[tokio::test]
async fn scopes_are_read_from_any_of_the_three_usual_claims() {
    let trust = Trust::new().await;
    for (name, value) in [
        ("scope", json!("openid admin")),
        ("scp", json!(["admin"])),
        ("scp", json!("admin")),
        ("permissions", json!(["x", "admin"])),
    ] {
        let mut claims = trust.claims();
        claims.as_object_mut().unwrap().remove("scope");
        claims[name] = value;
        let token = trust.issuer.sign(&trust.issuer.header(), &claims);
        let identity = trust.verifier.verify(&token).await.unwrap();
        assert!(identity.may(&[Scope::Admin]), "{name}");
        assert!(!identity.may(&[Scope::ResearchRead]), "{name}");
    }
}

#[tokio::test]
async fn a_claim_or_header_that_is_there_twice_is_refused() {
    let trust = Trust::new().await;
    let key = trust.issuer.signing_key();
    let claims = trust.claims().to_string();
    let twice = claims.replacen('{', r#"{"sub":"root","#, 1);
    let header = part(&trust.issuer.header());
    let token = key.sign_parts(&format!("{header}.{}", URL_SAFE_NO_PAD.encode(twice)));
    assert_eq!(trust.judge(&token).await, Err("Claims".to_owned()));
    let header = trust
        .issuer
        .header()
        .to_string()
        .replacen('{', r#"{"alg":"none","#, 1);
    let token = key.sign_parts(&format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        part(&trust.claims())
    ));
    assert_eq!(trust.judge(&token).await, Err("Malformed".to_owned()));
}

#[tokio::test]
async fn what_is_not_exactly_a_token_is_refused_before_anything_is_fetched() {
    let trust = Trust::new().await;
    let good = trust.token();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let padded = |text: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(text).unwrap());
    let malformed = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b".to_owned(),
        message.to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{header}.{claims}.{}", padded(signature)),
        format!("{header}=.{claims}.{signature}"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.{claims}.{signature}\u{0}"),
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode("[]")),
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode("null")),
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode("{}")),
        format!(
            "{}.{claims}.{signature}",
            URL_SAFE_NO_PAD.encode("{\"alg\":\"ES256\"}}")
        ),
        format!(
            "{}.{claims}.{signature}",
            URL_SAFE_NO_PAD.encode(b"\xff\xfe")
        ),
        format!(
            "{}.{claims}.{signature}",
            URL_SAFE_NO_PAD.encode("[".repeat(3_000))
        ),
        "ü.ü.ü".to_owned(),
    ];
    for token in malformed {
        assert_eq!(
            trust.judge(&token).await,
            Err("Malformed".to_owned()),
            "{token:?}"
        );
    }
    let huge = format!("{good}{}", "A".repeat(8 * 1024));
    assert_eq!(trust.judge(&huge).await, Err("TooLarge".to_owned()));
    assert_eq!(trust.issuer.requests(KEY_SET), 0);
    assert!(trust.accepts(&good).await);
}

#[tokio::test]
async fn claims_are_read_only_when_they_are_signed() {
    let trust = Trust::new().await;
    let attacker = SigningKey::generate().unwrap();
    // Were the claims looked at first, the refusal would tell what they lack.
    for claims in [json!({}), json!({"iss": "https://evil.example"}), json!([])] {
        let token = attacker.sign(&trust.issuer.header(), &claims);
        assert_eq!(
            trust.judge(&token).await,
            Err("Signature".to_owned()),
            "{claims}"
        );
    }
}

#[tokio::test]
async fn an_id_token_proves_a_sign_in_and_opens_nothing() {
    let trust = Trust::new().await;
    let mut claims = trust.claims();
    claims["aud"] = json!("nova");
    claims["nonce"] = json!("n-1");
    let token = trust.issuer.sign(
        &json!({"alg": "ES256", "typ": "JWT", "kid": trust.issuer.signing_key().id()}),
        &claims,
    );
    assert_eq!(trust.judge(&token).await, Err("Audience".to_owned()));
    let user = trust
        .verifier
        .verify_id_token(&token, "nova", "n-1")
        .await
        .unwrap();
    assert_eq!(user.as_str(), "alice");
    assert!(
        trust
            .verifier
            .verify_id_token(&token, "nova", "n-2")
            .await
            .is_err()
    );
    assert!(
        trust
            .verifier
            .verify_id_token(&token, "other", "n-1")
            .await
            .is_err()
    );
    claims.as_object_mut().unwrap().remove("nonce");
    let token = trust.issuer.sign(&trust.issuer.header(), &claims);
    assert!(
        trust
            .verifier
            .verify_id_token(&token, "nova", "")
            .await
            .is_err()
    );
}

//! Whatever bytes arrive, the verifier answers, and the answer is no.

use std::sync::{LazyLock, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::Trust;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn trust() -> &'static Trust {
    static TRUST: OnceLock<Trust> = OnceLock::new();
    TRUST.get_or_init(|| RUNTIME.block_on(Trust::new()))
}

fn accepts(token: &str) -> bool {
    RUNTIME.block_on(trust().accepts(token))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused(text in any::<String>()) {
        prop_assert!(!accepts(&text));
    }

    #[test]
    fn any_three_parts_are_refused(
        header in prop::collection::vec(any::<u8>(), 0..200),
        claims in prop::collection::vec(any::<u8>(), 0..200),
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let [header, claims, signature] = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        let token = format!("{header}.{claims}.{signature}");
        prop_assert!(!accepts(&token));
    }

    #[test]
    fn a_good_header_before_anything_else_is_refused(
        claims in "\\PC{0,200}",
        signature in prop::collection::vec(any::<u8>(), 64),
    ) {
        let header = URL_SAFE_NO_PAD.encode(trust().issuer.header().to_string());
        let token = format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(!accepts(&token));
    }

    #[test]
    fn a_good_token_with_one_byte_changed_is_refused(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = trust().token();
        let mut bytes = good.clone().into_bytes();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        if let Ok(changed) = String::from_utf8(bytes) && changed != good {
            prop_assert!(!accepts(&changed), "byte {position} is {byte}");
        }
    }

    #[test]
    fn signed_claims_of_any_shape_never_panic(claims in "\\PC{0,200}", number in any::<f64>()) {
        let header = URL_SAFE_NO_PAD.encode(trust().issuer.header().to_string());
        let key = trust().issuer.signing_key();
        for text in [claims, format!(r#"{{"iss":"{}","aud":"{}","exp":{number}}}"#, trust().issuer.url(), crate::AUDIENCE)] {
            let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(text));
            prop_assert!(!accepts(&key.sign_parts(&message)));
        }
    }
}

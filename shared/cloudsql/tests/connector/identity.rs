//! Who the server is: every CA mode, and every certificate that must not pass.

use cloudsql_connector::{ErrorKind, Step};
use nova_testkit::cloudsql::{
    CaMode, Connection, DnsName, Event, OldCa, Options, Shape, WrongCertificate,
};

use crate::support::{INSTANCE, USER, World, failure, greet};

const MODES: [CaMode; 3] = [CaMode::Internal, CaMode::Cas, CaMode::CustomerCas];

async fn refused(mode: CaMode, wrong: WrongCertificate) -> String {
    refused_by(&World::in_mode(mode).await, wrong).await
}

async fn refused_by(world: &World, wrong: WrongCertificate) -> String {
    world.instance.serve_wrong(wrong).unwrap();
    let error = failure(&world.connector(), INSTANCE).await;
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Identity, Step::Tls),
        "{:?} {wrong:?}: {error}",
        world.instance
    );
    // The first try, and one with new settings and a new certificate.
    assert_eq!(world.count().refreshes, 2);
    world.instance.serve_wrong(WrongCertificate::None).unwrap();
    world.connector().connect(INSTANCE).await.unwrap();
    error.to_string()
}

#[tokio::test]
async fn an_instance_with_a_ca_of_its_own_is_known_by_its_common_name() {
    let world = World::in_mode(CaMode::Internal).await;
    world.connector().connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn an_instance_under_a_regional_ca_is_known_by_its_dns_name() {
    let world = World::in_mode(CaMode::Cas).await;
    world.connector().connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn an_instance_under_a_customers_ca_is_known_by_its_dns_name() {
    let world = World::in_mode(CaMode::CustomerCas).await;
    world.connector().connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn a_name_matches_with_and_without_the_last_dot_and_in_any_case() {
    for (announced, certified) in [
        ("db.example.goog.", "db.example.goog"),
        ("db.example.goog", "db.example.goog."),
        ("DB.Example.goog.", "db.example.GOOG."),
    ] {
        let world = World::with(Options {
            ca_mode: CaMode::Cas,
            dns_names: vec![DnsName::new(Connection::Public, announced)],
            certificate_names: Some(vec![certified.to_owned()]),
            ..Options::default()
        })
        .await;
        let connected = world.connector().connect(INSTANCE).await;
        assert!(connected.is_ok(), "{announced} {certified}: {connected:?}");
    }
}

#[tokio::test]
async fn where_the_certificate_lags_behind_the_settings_the_common_name_counts() {
    let world = World::with(Options {
        ca_mode: CaMode::Internal,
        dns_names: vec![DnsName::new(Connection::Public, "new.example.goog.")],
        certificate_names: Some(vec!["old.example.goog".to_owned()]),
        ..Options::default()
    })
    .await;
    world.connector().connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_in_every_mode() {
    for mode in MODES {
        let said = refused(mode, WrongCertificate::Ca).await;
        assert!(
            said.contains("the server's certificate is not good"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_certificate_with_another_name_is_refused_in_every_mode() {
    for mode in MODES {
        let said = refused(mode, WrongCertificate::Name).await;
        assert!(said.contains("the server's certificate is for"), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_without_a_name_is_refused_in_every_mode() {
    for mode in MODES {
        let said = refused(mode, WrongCertificate::NoName).await;
        assert!(said.contains("is for"), "{said}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused_in_every_mode() {
    for mode in MODES {
        let said = refused(mode, WrongCertificate::Expired).await;
        assert!(said.contains("Expired"), "{said}");
    }
}

#[tokio::test]
async fn a_sibling_under_the_same_regional_ca_is_refused() {
    for mode in [CaMode::Cas, CaMode::CustomerCas] {
        let said = refused(mode, WrongCertificate::Sibling).await;
        assert!(said.contains("the server's certificate is for"), "{said}");
    }
}

#[tokio::test]
async fn the_handshake_is_tls_1_3_without_alpn() {
    let world = World::in_mode(CaMode::CustomerCas).await;
    let mut stream = world.connector().connect(INSTANCE).await.unwrap();
    // The fake writes the handshake down before it answers.
    greet(&mut stream, USER).await.unwrap();
    let handshakes = world
        .cloud
        .journal()
        .into_iter()
        .filter_map(|event| match event {
            Event::Handshake { version, alpn, .. } => Some((version, alpn)),
            _ => None,
        });
    let handshakes: Vec<_> = handshakes.collect();
    assert_eq!(handshakes, [(Some("TLSv1_3".to_owned()), vec![])]);
}

#[tokio::test]
async fn a_rotated_ca_is_accepted_at_once_while_both_are_announced() {
    for mode in MODES {
        let world = World::in_mode(mode).await;
        let connector = world.connector();
        connector.connect(INSTANCE).await.unwrap();
        world.instance.rotate_server_ca(OldCa::Kept).unwrap();
        connector.connect(INSTANCE).await.unwrap();
    }
}

#[tokio::test]
async fn a_ca_that_was_replaced_is_learned_before_the_caller_hears_of_it() {
    for mode in MODES {
        let world = World::in_mode(mode).await;
        let connector = world.connector();
        connector.connect(INSTANCE).await.unwrap();
        world.instance.rotate_server_ca(OldCa::Dropped).unwrap();
        connector.connect(INSTANCE).await.unwrap();
        assert_eq!(world.count().refreshes, 2);
    }
}

async fn in_shape(shape: Shape, ca_mode: CaMode) -> World {
    World::with(Options {
        shape,
        ca_mode,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_certificate_of_version_1_is_accepted() {
    for mode in MODES {
        let world = in_shape(Shape::VersionOne, mode).await;
        world.connector().connect(INSTANCE).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_signed_its_certificate_itself_is_accepted_where_google_names_just_that() {
    let world = in_shape(Shape::SelfSigned, CaMode::Internal).await;
    world.connector().connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_google_names_itself_needs_no_authority() {
    for mode in MODES {
        let world = in_shape(Shape::Pinned, mode).await;
        world.connector().connect(INSTANCE).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_whose_certificate_is_one_of_an_authority_is_accepted() {
    for mode in MODES {
        let world = in_shape(Shape::Authority, mode).await;
        world.connector().connect(INSTANCE).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_certificate_is_refused_in_every_shape() {
    for (shape, mode) in [
        (Shape::VersionOne, CaMode::Internal),
        // Under a regional CA, where a sibling has the same authority.
        (Shape::VersionOne, CaMode::Cas),
        (Shape::Authority, CaMode::Internal),
        (Shape::Authority, CaMode::Cas),
        (Shape::SelfSigned, CaMode::Internal),
        (Shape::Pinned, CaMode::Internal),
        (Shape::Pinned, CaMode::Cas),
    ] {
        for (wrong, why) in [
            (WrongCertificate::Ca, "UnknownIssuer"),
            (WrongCertificate::Name, "certificate is for"),
            (WrongCertificate::NoName, "certificate is for"),
            (WrongCertificate::Expired, "Expired"),
            (WrongCertificate::Sibling, ""),
        ] {
            let world = in_shape(shape, mode).await;
            let is_told_itself = matches!(shape, Shape::SelfSigned | Shape::Pinned);
            if is_told_itself && wrong == WrongCertificate::Expired {
                // It is its own authority.
                world.instance.serve_wrong(wrong).unwrap();
                let error = failure(&world.connector(), INSTANCE).await;
                assert!(
                    error.to_string().contains("rotate the server CA"),
                    "{error}"
                );
                continue;
            }
            let said = refused_by(&world, wrong).await;
            assert!(said.contains(why), "{shape:?} {mode:?} {wrong:?}: {said}");
        }
    }
}

//! Whom clients are told to trust, and what servers show.

use nova_testkit::cloudsql::{
    CaMode, CloudSql, Connection, DnsName, Instance, OldCa, Options, WrongCertificate,
};

use crate::NAME;
use crate::wire::{Key, Seen, connect, connect_with, settings, subject};

async fn started(cloud: &CloudSql, name: &str, ca_mode: CaMode) -> Instance {
    let options = Options {
        ca_mode,
        ..Options::default()
    };
    cloud.instance(name, options).await.unwrap()
}

/// The names that the server shows to a client which trusts `serverCaCert`.
async fn shown(cloud: &CloudSql, instance: &Instance) -> (Option<String>, Vec<String>) {
    let settings = settings(cloud, instance).await;
    let roots = settings["serverCaCert"]["cert"].as_str().unwrap();
    let key = Key::issued(cloud, instance, None).await;
    let seen = Seen::default();
    connect_with(instance, &key, roots, &seen).await.unwrap();
    subject(&seen)
}

fn blocks(pem: &str) -> usize {
    pem.matches("BEGIN CERTIFICATE").count()
}

#[tokio::test]
async fn an_authority_of_its_own_names_the_instance_by_common_name() {
    let cloud = CloudSql::start().await.unwrap();
    let instance = started(&cloud, NAME, CaMode::Internal).await;
    assert_eq!(blocks(&instance.server_ca()), 1);
    let (common, names) = shown(&cloud, &instance).await;
    assert_eq!(common.as_deref(), Some("proj:main"));
    assert_eq!(names, [""; 0]);
    let sibling = started(&cloud, "proj:europe-west1:sibling", CaMode::Internal).await;
    let key = Key::issued(&cloud, &sibling, None).await;
    let refused = connect_with(&sibling, &key, &instance.server_ca(), &Seen::default()).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn instances_of_a_region_share_an_authority_and_differ_by_dns_name() {
    let cloud = CloudSql::start().await.unwrap();
    let main = started(&cloud, NAME, CaMode::Cas).await;
    let sibling = started(&cloud, "proj:europe-west1:sibling", CaMode::Cas).await;
    let distant = started(&cloud, "proj:us-central1:distant", CaMode::Cas).await;
    assert_eq!(blocks(&main.server_ca()), 2, "intermediate and root");
    assert_eq!(main.server_ca(), sibling.server_ca());
    assert_ne!(main.server_ca(), distant.server_ca());
    for instance in [&main, &sibling] {
        let (_, names) = shown(&cloud, instance).await;
        assert_eq!(names, instance.dns_names());
        assert!(names[0].ends_with('.'), "the dot is what clients trip over");
    }
    assert_ne!(main.dns_names(), sibling.dns_names());
}

#[tokio::test]
async fn a_customers_authority_adds_names() {
    let cloud = CloudSql::start().await.unwrap();
    let options = Options {
        ca_mode: CaMode::CustomerCas,
        dns_names: vec![DnsName::new(Connection::Public, "one.example.")],
        custom_names: vec!["db.customer.example".to_owned()],
        ..Options::default()
    };
    let instance = cloud.instance(NAME, options).await.unwrap();
    let said = settings(&cloud, &instance).await;
    assert_eq!(said["serverCaMode"], "CUSTOMER_MANAGED_CAS_CA");
    assert_eq!(
        said["customSubjectAlternativeNames"][0],
        "db.customer.example"
    );
    let (_, names) = shown(&cloud, &instance).await;
    assert_eq!(names, ["one.example.", "db.customer.example"]);
    let regional = started(&cloud, "proj:europe-west1:other", CaMode::Cas).await;
    assert_ne!(instance.server_ca(), regional.server_ca());
}

#[tokio::test]
async fn a_certificate_says_what_a_test_wants_it_to_say() {
    let cloud = CloudSql::start().await.unwrap();
    let options = Options {
        certificate_names: Some(vec!["exactly.example".to_owned()]),
        dns_names: vec![DnsName::new(Connection::Public, "lags.example.")],
        ..Options::default()
    };
    let instance = cloud.instance(NAME, options).await.unwrap();
    let (_, names) = shown(&cloud, &instance).await;
    assert_eq!(names, ["exactly.example"]);
}

#[tokio::test]
async fn each_wrong_certificate_is_wrong_in_its_own_way() {
    let cloud = CloudSql::start().await.unwrap();
    for mode in [CaMode::Internal, CaMode::Cas, CaMode::CustomerCas] {
        let instance = started(&cloud, NAME, mode).await;
        let key = Key::issued(&cloud, &instance, None).await;
        for (wrong, breaks_the_chain, common) in [
            (WrongCertificate::Ca, true, Some("proj:main")),
            (WrongCertificate::Expired, true, Some("proj:main")),
            (WrongCertificate::Name, false, Some("proj:stranger-main")),
            (WrongCertificate::NoName, false, None),
            (
                WrongCertificate::Sibling,
                mode == CaMode::Internal,
                Some("proj:sibling-main"),
            ),
            (WrongCertificate::None, false, Some("proj:main")),
        ] {
            instance.serve_wrong(wrong).unwrap();
            let seen = Seen::default();
            let shaken = connect_with(&instance, &key, &instance.server_ca(), &seen).await;
            assert_eq!(shaken.is_err(), breaks_the_chain, "{mode:?} {wrong:?}");
            let (shown, names) = subject(&seen);
            assert_eq!(shown.as_deref(), common, "{mode:?} {wrong:?}");
            let has_name = mode != CaMode::Internal && wrong != WrongCertificate::NoName;
            assert_eq!(!names.is_empty(), has_name, "{mode:?} {wrong:?}");
        }
    }
}

#[tokio::test]
async fn a_rotation_can_be_caught_in_the_middle_and_at_the_end() {
    let cloud = CloudSql::start().await.unwrap();
    for mode in [CaMode::Internal, CaMode::Cas, CaMode::CustomerCas] {
        let instance = started(&cloud, NAME, mode).await;
        let key = Key::issued(&cloud, &instance, None).await;
        let before = instance.server_ca();
        instance.rotate_server_ca(OldCa::Kept).unwrap();
        let middle = instance.server_ca();
        assert_eq!(blocks(&middle), 2 * blocks(&before));
        assert!(middle.starts_with(&before));
        let stale = connect_with(&instance, &key, &before, &Seen::default()).await;
        assert!(stale.is_err(), "{mode:?}");
        connect(&instance, Some(&key)).await.unwrap();
        instance.rotate_server_ca(OldCa::Dropped).unwrap();
        assert_eq!(blocks(&instance.server_ca()), blocks(&before));
        let stale = connect_with(&instance, &key, &middle, &Seen::default()).await;
        assert!(stale.is_err(), "{mode:?}");
        connect(&instance, Some(&key)).await.unwrap();
    }
}

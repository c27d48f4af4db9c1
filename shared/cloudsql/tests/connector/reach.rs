//! Which instances can be reached, and how: names, addresses, DNS, other people's quotas.

use std::{
    future::ready,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use cloudsql_connector::{
    Connector, DnsError, DnsResolver, ErrorKind, IpType, ManualClock, Resolver, Step as Place,
    tokens,
};
use futures_util::future::{BoxFuture, join_all};
use nova_testkit::cloudsql::{
    CaMode, Connection, DnsName, Effect, Event, FEDERATED, Fault, Options, Record, Step,
    WrongCertificate,
};
use socket2::{Domain, Socket, Type};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use crate::support::{INSTANCE, PRINCIPAL, USER, World, failure, greet};

const DOMAIN: &str = "db.example.com";

fn accepted(world: &World) -> Vec<SocketAddr> {
    let events = world.cloud.journal().into_iter();
    let accepted = events.filter_map(|event| match event {
        Event::Accepted { address, .. } => Some(address),
        _ => None,
    });
    accepted.collect()
}

#[tokio::test]
async fn a_project_may_belong_to_a_domain() {
    let world = World::start().await;
    let name = "example.com:proj:europe-west1:main";
    let options = Options::default();
    let _instance = world.cloud.instance(name, options).await.unwrap();
    world.connector().connect(name).await.unwrap();
}

#[tokio::test]
async fn public_private_or_whichever_there_is() {
    let world = World::with(Options {
        private: true,
        ..Options::default()
    })
    .await;
    let public = world.instance.address();
    let private = world.instance.private_address().unwrap();
    for (ip_type, address) in [
        (IpType::Public, public),
        (IpType::Private, private),
        (IpType::Auto, public),
    ] {
        let connector = world.builder().ip_type(ip_type).build().unwrap();
        connector.connect(INSTANCE).await.unwrap();
        assert_eq!(accepted(&world).last(), Some(&address), "{ip_type:?}");
    }
    let world = World::with(Options {
        public: false,
        private: true,
        ..Options::default()
    })
    .await;
    let connector = world.builder().ip_type(IpType::Auto).build().unwrap();
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(
        accepted(&world),
        [world.instance.private_address().unwrap()]
    );
}

#[tokio::test]
async fn a_type_of_address_that_the_instance_lacks_is_named_with_those_it_has() {
    let world = World::start().await;
    for (ip_type, wanted) in [(IpType::Private, "PRIVATE"), (IpType::Psc, "PSC")] {
        let connector = world.builder().ip_type(ip_type).build().unwrap();
        let error = failure(&connector, INSTANCE).await;
        assert_eq!(
            (error.kind(), error.step()),
            (ErrorKind::Configuration, Place::Address)
        );
        let said = format!("instance has PRIMARY only; asked for {wanted}");
        assert_eq!(error.message(), said);
    }
}

#[tokio::test]
async fn a_login_that_the_database_does_not_have_is_refused_before_it_is_tried() {
    let world = World::with(Options {
        database_version: "SQLSERVER_2022_STANDARD".to_owned(),
        ..Options::default()
    })
    .await;
    let error = failure(&world.connector(), INSTANCE).await;
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Configuration, Place::Settings)
    );
    assert!(error.hint().unwrap().contains("`iam_login`"), "{error}");
    assert!(accepted(&world).is_empty());
    let connector = world.builder().iam_login(false).build().unwrap();
    connector.connect(INSTANCE).await.unwrap();
}

#[tokio::test]
async fn private_service_connect_goes_by_its_names_without_the_last_dot() {
    let world = World::with(Options {
        public: false,
        psc: true,
        ca_mode: CaMode::Cas,
        dns_names: vec![
            DnsName::new(Connection::Psc, "unresolvable.invalid."),
            DnsName::new(Connection::Psc, "abc.europe-west1.sql-psc.goog."),
        ],
        ..Options::default()
    })
    .await;
    let address = world.instance.psc_address().unwrap();
    world.cloud.answer_dns(
        "abc.europe-west1.sql-psc.goog",
        Record::A(address.ip().to_string().parse().unwrap()),
    );
    let connector = world
        .builder()
        .ip_type(IpType::Psc)
        .resolver(Arc::new(DnsResolver::at(world.cloud.dns())))
        .build()
        .unwrap();
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(accepted(&world), [address]);
}

/// An address that swallows packets: so many calls wait there that no more are taken.
async fn black_hole() -> (IpAddr, impl Sized) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = SocketAddr::from(([127, 254, high, low], 3307));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(0).unwrap();
    let mut waiting = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(taken) = timeout(patience, TcpStream::connect(address)).await {
        waiting.push(taken.unwrap());
    }
    // The queue is full as long as these live.
    (address.ip(), (socket, waiting))
}

/// Every name has these addresses, in this order.
struct Addresses(Vec<IpAddr>);

impl Resolver for Addresses {
    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(ready(Err(DnsError::NoRecord)))
    }

    fn cname<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<String, DnsError>> {
        Box::pin(ready(Err(DnsError::NoRecord)))
    }

    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(ready(Ok(self.0.clone())))
    }
}

#[tokio::test]
async fn an_address_that_swallows_packets_leaves_time_for_the_next_of_its_name() {
    let world = World::with(Options {
        public: false,
        psc: true,
        ca_mode: CaMode::Cas,
        ..Options::default()
    })
    .await;
    let (silent, _waiting) = black_hole().await;
    let address = world.instance.psc_address().unwrap();
    let connector = world
        .builder()
        .ip_type(IpType::Psc)
        .timeout(Duration::from_secs(4))
        .resolver(Arc::new(Addresses(vec![silent, address.ip()])))
        .build()
        .unwrap();
    while connector.warm_up(INSTANCE).await.is_err() {}
    connector.connect(INSTANCE).await.unwrap();
    assert_eq!(accepted(&world), [address]);
    assert_eq!(world.asked(Step::Certificate), 1);
}

fn by_name(world: &World) -> Connector {
    world
        .builder()
        .resolver(Arc::new(DnsResolver::at(world.cloud.dns())))
        .build()
        .unwrap()
}

async fn with_domain() -> World {
    let world = World::with(Options {
        ca_mode: CaMode::CustomerCas,
        custom_names: vec![DOMAIN.to_owned()],
        ..Options::default()
    })
    .await;
    world
        .cloud
        .answer_dns(DOMAIN, Record::Txt(INSTANCE.to_owned()));
    world
}

#[tokio::test]
async fn a_txt_record_leads_to_the_instance_and_its_server_is_asked_for_by_that_name() {
    let world = with_domain().await;
    let mut stream = by_name(&world).connect(DOMAIN).await.unwrap();
    assert_eq!(stream.instance().to_string(), INSTANCE);
    greet(&mut stream, USER).await.unwrap();
    let asked_for = world
        .cloud
        .journal()
        .into_iter()
        .find_map(|event| match event {
            Event::Handshake { server_name, .. } => server_name,
            _ => None,
        });
    assert_eq!(asked_for.as_deref(), Some(DOMAIN));
}

#[tokio::test]
async fn a_txt_record_that_leads_to_a_stranger_does_not_make_it_the_instance() {
    let world = with_domain().await;
    world
        .instance
        .serve_wrong(WrongCertificate::Sibling)
        .unwrap();
    let error = failure(&by_name(&world), DOMAIN).await;
    assert_eq!(error.kind(), ErrorKind::Identity, "{error}");
}

#[tokio::test]
async fn a_chain_of_aliases_is_followed_and_a_loop_is_refused() {
    let world = with_domain().await;
    world
        .cloud
        .answer_dns("a.example.com", Record::Cname("b.example.com".to_owned()));
    world
        .cloud
        .answer_dns("b.example.com", Record::Cname(DOMAIN.to_owned()));
    let stream = by_name(&world).connect("a.example.com").await.unwrap();
    assert_eq!(stream.instance().to_string(), INSTANCE);

    world
        .cloud
        .answer_dns("x.example.com", Record::Cname("y.example.com".to_owned()));
    world
        .cloud
        .answer_dns("y.example.com", Record::Cname("x.example.com".to_owned()));
    let error = failure(&by_name(&world), "x.example.com").await;
    assert_eq!(error.step(), Place::Dns, "{error}");
}

#[tokio::test]
async fn googles_own_names_are_resolved_by_the_admin_api() {
    let name = "abc123.def456.europe-west1.sql.goog.";
    let world = World::with(Options {
        ca_mode: CaMode::Cas,
        dns_names: vec![DnsName::new(Connection::Public, name)],
        ..Options::default()
    })
    .await;
    by_name(&world)
        .connect(name.trim_end_matches('.'))
        .await
        .unwrap();
    assert_eq!(world.asked(Step::ResolveSettings), 1);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_says_what_to_set() {
    let world = World::start().await;
    let error = failure(&by_name(&world), "nowhere.example.com").await;
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::NotFound, Place::Dns)
    );
    assert!(error.to_string().contains("TXT"), "{error}");
}

#[tokio::test]
async fn when_the_instance_behind_a_name_is_replaced_its_tunnels_are_closed() {
    let world = with_domain().await;
    let second = "proj:europe-west1:second";
    let replacement = world
        .cloud
        .instance(
            second,
            Options {
                ca_mode: CaMode::CustomerCas,
                custom_names: vec![DOMAIN.to_owned()],
                ..Options::default()
            },
        )
        .await
        .unwrap();
    let connector = by_name(&world);
    let mut old = connector.connect(DOMAIN).await.unwrap();
    world.cloud.forget_dns(DOMAIN);
    world
        .cloud
        .answer_dns(DOMAIN, Record::Txt(second.to_owned()));
    let new = connector.connect(DOMAIN).await.unwrap();
    assert_eq!(new.instance().to_string(), second);
    let ended = timeout(Duration::from_secs(5), old.read_u8()).await;
    assert!(ended.unwrap().is_err());
    drop(replacement);
}

#[tokio::test]
async fn a_tunnel_that_is_being_opened_while_its_name_moves_is_neither_given_nor_counted() {
    let world = with_domain().await;
    let second = "proj:europe-west1:second";
    let options = Options::default();
    let _second = world.cloud.instance(second, options).await.unwrap();
    let connector = by_name(&world);
    connector.connect(DOMAIN).await.unwrap();
    let slow = Effect::Delay(Duration::from_secs(1));
    world.inject(Fault::new(Step::Tls, slow));
    let opening = tokio::spawn({
        let connector = connector.clone();
        async move { connector.connect(DOMAIN).await }
    });
    while accepted(&world).len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.cloud.forget_dns(DOMAIN);
    world
        .cloud
        .answer_dns(DOMAIN, Record::Txt(second.to_owned()));
    let _moved = connector.connect(DOMAIN).await.unwrap();
    let error = opening.await.unwrap().unwrap_err();
    assert_eq!(error.step(), Place::Dns, "{error}");
    assert_eq!(world.count().open, 1, "{:?}", world.count());
}

#[tokio::test]
async fn an_instance_behind_a_name_that_is_polled_is_replaced_without_a_connection() {
    let world = with_domain().await;
    let second = "proj:europe-west1:second";
    let _replacement = world
        .cloud
        .instance(second, Options::default())
        .await
        .unwrap();
    let connector = world
        .builder()
        .resolver(Arc::new(DnsResolver::at(world.cloud.dns())))
        .failover_period(Duration::from_millis(100))
        .build()
        .unwrap();
    let mut old = connector.connect(DOMAIN).await.unwrap();
    world.cloud.forget_dns(DOMAIN);
    world
        .cloud
        .answer_dns(DOMAIN, Record::Txt(second.to_owned()));
    let ended = timeout(Duration::from_secs(10), old.read_u8()).await;
    assert!(ended.unwrap().is_err());
}

#[tokio::test]
async fn an_error_of_dns_closes_nothing_and_the_last_answer_holds() {
    let world = with_domain().await;
    let connector = by_name(&world);
    let mut stream = connector.connect(DOMAIN).await.unwrap();
    world.inject(Fault::new(Step::Dns, Effect::Status(2)).times(1000));
    connector.connect(DOMAIN).await.unwrap();
    assert!(greet(&mut stream, USER).await.is_ok());
}

const GOOGLES: &str = "abc.def.europe-west1.sql.goog";

async fn with_googles_name(ca_mode: CaMode) -> World {
    World::with(Options {
        ca_mode,
        dns_names: vec![DnsName::new(Connection::Public, format!("{GOOGLES}."))],
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn googles_own_names_are_asked_for_once_and_again_with_the_settings() {
    let world = with_googles_name(CaMode::Cas).await;
    world.cloud.set_token_lifetime(Duration::from_hours(12));
    let clock = Arc::new(ManualClock::at(SystemTime::now()));
    let connector = world
        .builder()
        .resolver(Arc::new(DnsResolver::at(world.cloud.dns())))
        .clock(Arc::clone(&clock) as _)
        .build()
        .unwrap();
    let all = join_all((0..16).map(|_| connector.connect(GOOGLES))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(world.asked(Step::ResolveSettings), 1);

    world
        .cloud
        .set_certificate_lifetime(Duration::from_hours(3));
    clock.advance(Duration::from_mins(57));
    for _ in 0..3 {
        connector.connect(GOOGLES).await.unwrap();
    }
    assert_eq!(
        (
            world.asked(Step::ConnectSettings),
            world.asked(Step::ResolveSettings)
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn googles_own_names_are_asked_for_again_when_the_instance_does_not_answer() {
    let world = with_googles_name(CaMode::Cas).await;
    let connector = by_name(&world);
    connector.connect(GOOGLES).await.unwrap();
    world.inject(Fault::new(Step::Tls, Effect::Drop));
    connector.connect(GOOGLES).await.unwrap();
    connector.connect(GOOGLES).await.unwrap();
    assert_eq!(world.asked(Step::ResolveSettings), 2);
    // An instance that is down does not use up the quota by its name either.
    world.inject(Fault::new(Step::Tls, Effect::Drop).times(1000));
    for _ in 0..20 {
        failure(&connector, GOOGLES).await;
    }
    let asked = world.asked(Step::ResolveSettings);
    assert!(asked <= 5, "{asked}");
}

#[tokio::test]
async fn an_instance_that_took_over_a_name_of_googles_is_found_in_the_same_call() {
    let world = with_googles_name(CaMode::Internal).await;
    let connector = by_name(&world);
    connector.connect(GOOGLES).await.unwrap();
    world.instance.delete();
    let second = "proj:europe-west1:second";
    let options = Options {
        ca_mode: CaMode::Internal,
        dns_names: vec![DnsName::new(Connection::Public, format!("{GOOGLES}."))],
        ..Options::default()
    };
    let _second = world.cloud.instance(second, options).await.unwrap();
    let stream = connector.connect(GOOGLES).await.unwrap();
    assert_eq!(stream.instance().to_string(), second);
}

#[tokio::test]
async fn the_quota_project_and_the_user_agent_are_told() {
    let world = World::start().await;
    let builder = world.builder().quota_project("payer").user_agent("app/1.0");
    builder.build().unwrap().connect(INSTANCE).await.unwrap();
    for step in [Step::ConnectSettings, Step::Certificate] {
        let request = world.requests(step).remove(0);
        assert_eq!(request.header("x-goog-user-project"), "payer");
        let agent = request.header("user-agent");
        assert!(
            agent.starts_with("cloudsql-connector-rust/") && agent.ends_with("app/1.0"),
            "{agent}"
        );
    }
}

#[tokio::test]
async fn a_workload_of_another_cloud_connects_as_the_service_account_that_it_may_act_as() {
    let world = World::start().await;
    let file = || tokens::credentials_file(world.cloud.external_file()).unwrap();
    let connector = world.builder().tokens(file()).build().unwrap();
    let error = failure(&connector, INSTANCE).await;
    assert_eq!(
        (error.kind(), error.step()),
        (ErrorKind::Denied, Place::Token)
    );
    assert!(error.hint().unwrap().contains(PRINCIPAL), "{error}");

    world.cloud.allow_impersonation(FEDERATED, PRINCIPAL);
    let connector = world.builder().tokens(file()).build().unwrap();
    let mut stream = connector.connect(INSTANCE).await.unwrap();
    greet(&mut stream, USER).await.unwrap();
    let logged_in = world
        .cloud
        .journal()
        .into_iter()
        .any(|event| matches!(event, Event::Login { user, refused: None, .. } if user == USER));
    assert!(logged_in);
    // One for each connector, kept for both of its scopes.
    assert_eq!(world.asked(Step::Exchange), 2);
}

#[tokio::test]
async fn credentials_of_another_universe_are_refused_before_they_are_shown_to_anybody() {
    let world = World::start().await;
    let refused = |builder: cloudsql_connector::ConnectorBuilder| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.to_string()
    };
    let said = refused(world.builder().universe_domain("apis.example"));
    assert!(
        said.contains("the credentials are for googleapis.com, the connector for apis.example"),
        "{said}"
    );
    let user = std::fs::read_to_string(world.cloud.user_file()).unwrap();
    let of = |domain: &str| {
        let text = user.replace("googleapis.com", domain);
        Arc::new(tokens::AuthorizedUser::from_json(&text).unwrap())
    };
    let said = refused(world.builder().tokens(of("apis.example")));
    assert!(
        said.contains("GOOGLE_CLOUD_UNIVERSE_DOMAIN=apis.example"),
        "{said}"
    );
    let builder = world.builder().tokens(of("apis.example"));
    builder.universe_domain("apis.example").build().unwrap();
    // A file that names none is of Google's own.
    world.builder().tokens(of("")).build().unwrap();
    assert!(world.cloud.journal().is_empty());
}

#[tokio::test]
async fn the_metadata_server_is_asked_for_tokens_of_the_right_scopes() {
    let world = World::start().await;
    let server = tokens::MetadataServer::new(Some(&world.cloud.metadata_host()));
    let connector = world.builder().tokens(Arc::new(server)).build().unwrap();
    let mut stream = connector.connect(INSTANCE).await.unwrap();
    assert!(greet(&mut stream, USER).await.is_ok());
    let mut scopes: Vec<_> = world
        .requests(Step::Metadata)
        .into_iter()
        .map(|it| it.scopes)
        .collect();
    scopes.sort();
    let url = |name: &str| vec![format!("https://www.googleapis.com/auth/{name}")];
    assert_eq!(scopes, [url("sqlservice.admin"), url("sqlservice.login")]);
}

#[tokio::test]
async fn closing_waits_for_what_is_open_then_cuts_it_and_can_be_repeated() {
    let world = World::start().await;
    let connector = world.connector();
    let first = connector.connect(INSTANCE).await.unwrap();
    let mut second = connector.connect(INSTANCE).await.unwrap();
    let waiting = tokio::spawn({
        let connector = connector.clone();
        async move { connector.close(Duration::from_millis(400)).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        failure(&connector, INSTANCE).await.kind(),
        ErrorKind::Closed
    );
    drop(first);
    assert_eq!(waiting.await.unwrap(), 1);
    assert!(second.read_u8().await.is_err());
    drop(second);
    assert_eq!(connector.close(Duration::ZERO).await, 0);
}

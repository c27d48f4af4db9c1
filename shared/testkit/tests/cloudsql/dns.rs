//! The DNS server, asked over UDP and TCP.

use std::net::Ipv4Addr;
use std::time::Duration;

use nova_testkit::cloudsql::{CaMode, CloudSql, Effect, Event, Fault, Options, Record, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::{NAME, SOON};

const A: u16 = 1;
const CNAME: u16 = 5;
const TXT: u16 = 16;

fn question(name: &str, kind: u16, udp_limit: Option<u16>) -> Vec<u8> {
    let additional = u8::from(udp_limit.is_some());
    let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    bytes.extend(encoded(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    if let Some(limit) = udp_limit {
        bytes.extend([0, 0, 41]);
        bytes.extend(limit.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

/// What an answer says.
#[derive(Debug, PartialEq)]
struct Said {
    code: u8,
    truncated: bool,
    /// Owner, kind and data.
    records: Vec<(String, u16, Vec<u8>)>,
}

impl Said {
    fn parse(bytes: &[u8]) -> Self {
        assert_eq!(&bytes[..2], [0xab, 0xcd]);
        assert_eq!(bytes[2] & 0x80, 0x80, "it is an answer");
        let mut at = 12;
        name_at(bytes, &mut at);
        at += 4;
        let mut records = Vec::new();
        for _ in 0..u16_at(bytes, 6) {
            let owner = name_at(bytes, &mut at);
            let kind = u16_at(bytes, at);
            let length = usize::from(u16_at(bytes, at + 8));
            at += 10;
            records.push((owner, kind, bytes[at..at + length].to_vec()));
            at += length;
        }
        assert_eq!(at, bytes.len());
        Self {
            code: bytes[3] & 15,
            truncated: bytes[2] & 2 != 0,
            records,
        }
    }

    /// The text of the only record.
    fn text(&self) -> String {
        let [(_, TXT, data)] = &self.records[..] else {
            panic!("{self:?}")
        };
        let (mut text, mut rest) = (Vec::new(), &data[..]);
        while let [length, tail @ ..] = rest {
            let (part, tail) = tail.split_at(usize::from(*length));
            text.extend(part);
            rest = tail;
        }
        String::from_utf8(text).unwrap()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn name_at(bytes: &[u8], at: &mut usize) -> String {
    let mut labels = Vec::new();
    while bytes[*at] > 0 {
        let end = *at + 1 + usize::from(bytes[*at]);
        labels.push(String::from_utf8(bytes[*at + 1..end].to_vec()).unwrap());
        *at = end;
    }
    *at += 1;
    labels.join(".")
}

async fn by_udp(cloud: &CloudSql, question: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(question, cloud.dns()).await.unwrap();
    let mut answer = vec![0; 65_535];
    let length = timeout(SOON, socket.recv(&mut answer))
        .await
        .expect("an answer in time");
    answer.truncate(length.unwrap());
    answer
}

async fn by_tcp(cloud: &CloudSql, question: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(cloud.dns()).await.unwrap();
    stream
        .write_u16(question.len().try_into().unwrap())
        .await
        .unwrap();
    stream.write_all(question).await.unwrap();
    let mut answer = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

async fn ask(cloud: &CloudSql, name: &str, kind: u16) -> Said {
    let question = question(name, kind, None);
    let udp = Said::parse(&by_udp(cloud, &question).await);
    let tcp = Said::parse(&by_tcp(cloud, &question).await);
    assert_eq!(udp, tcp);
    udp
}

#[tokio::test]
async fn a_name_says_what_a_test_made_it_say() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.answer_dns("db.example.com", Record::Txt(NAME.to_owned()));
    assert_eq!(ask(&cloud, "DB.Example.com", TXT).await.text(), NAME);
    let other_kind = ask(&cloud, "db.example.com", A).await;
    assert_eq!((other_kind.code, other_kind.records.len()), (0, 0));
    cloud.forget_dns("db.example.com.");
    assert_eq!(ask(&cloud, "db.example.com", TXT).await.code, 3);
    cloud.answer_dns("db.example.com", Record::A(Ipv4Addr::new(127, 1, 2, 3)));
    let address = ask(&cloud, "db.example.com", A).await;
    assert_eq!(address.records[0].2, [127, 1, 2, 3]);
    let asked = cloud.journal().into_iter().filter_map(|event| match event {
        Event::Dns { name, kind, tcp } => Some((name, kind, tcp)),
        _ => None,
    });
    let asked: Vec<_> = asked.take(2).collect();
    let name = "DB.Example.com".to_owned();
    assert_eq!(asked, [(name.clone(), TXT, false), (name, TXT, true)]);
}

#[tokio::test]
async fn an_alias_is_followed_as_far_as_it_is_known() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.answer_dns("a.example", Record::Cname("b.example.".to_owned()));
    cloud.answer_dns("b.example", Record::Txt(NAME.to_owned()));
    let both = ask(&cloud, "a.example", TXT).await;
    let owners: Vec<_> = both.records.iter().map(|it| (&*it.0, it.1)).collect();
    assert_eq!(owners, [("a.example", CNAME), ("b.example", TXT)]);
    let alias = ask(&cloud, "a.example", CNAME).await;
    assert_eq!(alias.records[0].2, encoded("b.example"));
    assert_eq!(alias.records.len(), 1);
    cloud.forget_dns("b.example");
    let dangling = ask(&cloud, "a.example", TXT).await;
    assert_eq!((dangling.code, dangling.records.len()), (0, 1));
    cloud.answer_dns("b.example", Record::Cname("a.example".to_owned()));
    let endless = ask(&cloud, "a.example", TXT).await;
    assert_eq!(
        endless.records.len(),
        2,
        "clients see the circle themselves"
    );
}

#[tokio::test]
async fn what_is_too_long_for_udp_is_fetched_by_tcp() {
    let cloud = CloudSql::start().await.unwrap();
    let long = "x".repeat(600);
    cloud.answer_dns("long.example", Record::Txt(long.clone()));
    let plain = question("long.example", TXT, None);
    let cut = Said::parse(&by_udp(&cloud, &plain).await);
    assert!(cut.truncated && cut.records.is_empty());
    let whole = Said::parse(&by_tcp(&cloud, &plain).await);
    assert_eq!((whole.text(), whole.truncated), (long.clone(), false));
    let roomy = question("long.example", TXT, Some(1_232));
    assert_eq!(Said::parse(&by_udp(&cloud, &roomy).await).text(), long);
}

#[tokio::test]
async fn an_instances_names_lead_to_its_addresses() {
    let cloud = CloudSql::start().await.unwrap();
    let options = Options {
        ca_mode: CaMode::Cas,
        psc: true,
        ..Options::default()
    };
    let instance = cloud.instance(NAME, options).await.unwrap();
    let [public, psc] = &instance.dns_names()[..] else {
        panic!("{instance:?}")
    };
    for (name, address) in [
        (public, instance.address()),
        (psc, instance.psc_address().unwrap()),
    ] {
        let said = ask(&cloud, name.trim_end_matches('.'), A).await;
        let expected: std::net::IpAddr =
            <[u8; 4]>::try_from(&said.records[0].2[..]).unwrap().into();
        assert_eq!(expected, address.ip());
    }
}

#[tokio::test]
async fn dns_fails_on_command() {
    let cloud = CloudSql::start().await.unwrap();
    cloud.answer_dns("a.example", Record::Txt("here".to_owned()));
    let question = question("a.example", TXT, None);
    cloud.inject(Fault::new(Step::Dns, Effect::Status(503)));
    assert_eq!(Said::parse(&by_udp(&cloud, &question).await).code, 2);
    cloud.inject(Fault::new(Step::Dns, Effect::Garbage));
    assert!(by_udp(&cloud, &question).await.len() < 12);
    cloud.inject(Fault::new(Step::Dns, Effect::Drop));
    let unanswered = timeout(Duration::from_millis(200), by_udp(&cloud, &question)).await;
    assert!(unanswered.is_err());
    assert_eq!(Said::parse(&by_udp(&cloud, &question).await).text(), "here");
}

//! A DNS server for the few names that a test cares for, over UDP and TCP on one port.

mod message;
mod zone;

use std::future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use self::message::{Question, Response};
pub use self::zone::Record;
pub(super) use self::zone::Zone;
use super::cloud::Cloud;
use super::fault::{Effect, Step};
use super::journal::Event;

/// More than any question needs.
const MAX_QUESTION_BYTES: usize = 4_096;
/// Another process may hold the TCP port that goes with a free UDP port.
const ATTEMPTS: usize = 20;

/// Both sockets of a DNS server.
pub(super) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// A port that is free for both.
    pub(super) async fn bind() -> anyhow::Result<Self> {
        for _ in 0..ATTEMPTS {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr()?).await {
                return Ok(Self { udp, tcp });
            }
        }
        anyhow::bail!("no port is free for both UDP and TCP")
    }

    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.tcp.local_addr().context("the socket has no address")
    }
}

/// Answers questions until it is dropped.
pub(super) async fn serve(sockets: Sockets, cloud: Arc<Cloud>) {
    let Sockets { udp, tcp } = sockets;
    let udp = Arc::new(udp);
    let mut answers = JoinSet::new();
    let mut buffer = vec![0; MAX_QUESTION_BYTES];
    loop {
        while answers.try_join_next().is_some() {}
        tokio::select! {
            Ok((length, client)) = udp.recv_from(&mut buffer) => {
                let question = buffer.get(..length).unwrap_or_default().to_vec();
                let (udp, cloud) = (Arc::clone(&udp), Arc::clone(&cloud));
                answers.spawn(async move {
                    if let Some(answer) = answer(&cloud, &question, false).await {
                        // A client that went away is the client's business.
                        udp.send_to(&answer, client).await.ok();
                    }
                });
            }
            Ok((stream, _client)) = tcp.accept() => {
                let cloud = Arc::clone(&cloud);
                answers.spawn(async move {
                    // As above.
                    converse(&cloud, stream).await.ok();
                });
            }
            // Both sockets refuse: there is nothing left to serve.
            else => return,
        }
    }
}

/// Questions and answers over TCP, each with its length in front (RFC 1035, 4.2.2).
async fn converse(cloud: &Cloud, mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await?;
        let Some(answer) = answer(cloud, &question, true).await else {
            return Ok(());
        };
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&answer).await?;
    }
}

/// `None`: there is no answer.
async fn answer(cloud: &Cloud, bytes: &[u8], tcp: bool) -> Option<Vec<u8>> {
    let question = Question::parse(bytes)?;
    cloud.journal.add(Event::Dns {
        name: question.name.clone(),
        kind: question.kind,
        tcp,
    });
    match cloud.fault(Step::Dns) {
        None => {}
        Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
        Some(Effect::Drop) => return None,
        Some(Effect::Hang) => future::pending().await,
        // The right id, so that it is taken for the answer, and nothing that can be read behind it.
        Some(Effect::Garbage) => {
            let mut garbage = bytes.get(..2)?.to_vec();
            garbage.extend([0xff; 7]);
            return Some(garbage);
        }
        Some(Effect::Status(_) | Effect::RetryAfter(..) | Effect::Reason(..)) => {
            return Some(Response::failed().into_bytes(&question, tcp));
        }
    }
    Some(cloud.zone.answer(&question).into_bytes(&question, tcp))
}

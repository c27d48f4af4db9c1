//! Bytes between a client and the database behind an instance.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::net::{TcpStream, UnixStream};

use super::super::fault::{Effect, Step};
use super::super::options::Backend;
use super::Connection;
use super::handshake::Secured;

/// Anything with two directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(super) async fn connect(backend: &Backend) -> io::Result<Box<dyn Duplex>> {
    Ok(match backend {
        Backend::Nothing => return Err(io::Error::other("there is none")),
        Backend::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Backend::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    })
}

impl Connection {
    /// For databases whose language is not spoken here: they ask for passwords themselves.
    pub(super) async fn serve_unread(&self, secured: &mut Secured) {
        match self.instance.cloud.fault(Step::Login) {
            None => {}
            Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
            Some(Effect::Hang) => std::future::pending().await,
            Some(_) => return,
        }
        if let Ok(mut backend) = connect(&self.instance.options.backend).await {
            // It ends when one side goes away; the other is told by the end.
            relay(&mut secured.stream, &mut backend).await.ok();
        }
    }
}

/// Until the server has said all. A client that has said all may still listen.
pub(super) async fn relay(client: impl Duplex, server: impl Duplex) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let upwards = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let downwards = async {
        copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::pin!(upwards, downwards);
    tokio::select! {
        ended = &mut downwards => ended,
        ended = &mut upwards => {
            ended?;
            downwards.await
        }
    }
}

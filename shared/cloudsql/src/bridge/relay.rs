//! Bytes between a client and its tunnel, until one of the two has gone.
//!
//! No client of these databases half-closes its connection and reads on: one that ends has left. The
//! tunnel ends with it, and does not wait for the answer to a query that nobody reads.

use std::{io, pin::pin, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::UnixStream,
    time::timeout,
};

use crate::stream::Stream;

/// What one read of a tunnel may bring: a TLS record.
const BUFFER: usize = 16 * 1024;

/// How long a server that was told the end has to end, too. To close a socket sooner could take from
/// the server what it has not read yet.
const FAREWELL: Duration = Duration::from_secs(2);

/// Which side of a direction has ended.
enum Ended {
    From(io::Result<()>),
    To(io::Error),
}

/// Copies in both directions until one side has ended, and tells the other.
pub(super) async fn relay(client: &mut UnixStream, server: &mut Stream) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = split(server);
    {
        let mut upwards = pin!(copy(&mut from_client, &mut to_server));
        let ended = tokio::select! {
            ended = &mut upwards => ended,
            ended = copy(&mut from_server, &mut to_client) => match ended {
                Ended::From(ended) => {
                    to_client.shutdown().await?;
                    return ended;
                }
                // The client does not listen any more; what it said before is still owed.
                Ended::To(_) => match timeout(FAREWELL, upwards).await {
                    Ok(ended) => ended,
                    Err(_late) => return Ok(()),
                },
            },
        };
        if let Ended::To(error) = ended {
            return Err(error);
        }
    }
    let farewell = async {
        // TLS's close_notify, and the end of TCP's stream.
        to_server.shutdown().await?;
        discard(&mut from_server).await
    };
    timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
}

async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Ended {
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        buffer.clear();
        match from.read_buf(&mut buffer).await {
            Ok(0) => return Ended::From(Ok(())),
            Ok(_) => {}
            Err(error) => return Ended::From(Err(error)),
        }
        let written = async {
            to.write_all(&buffer).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return Ended::To(error);
        }
    }
}

/// Reads to the end, for nobody.
async fn discard(from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER);
    while from.read_buf(&mut buffer).await? > 0 {
        buffer.clear();
    }
    Ok(())
}

//! The server: HTTP/1 and HTTP/2 (h2c) on one port, with limits, and an orderly end.

mod opening;
mod unread;

use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::net::TcpListener;

use self::opening::Opening;
use crate::body::{Request, Response};

/// Whatever answers requests; it cannot fail.
pub type Answer = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// How patient the server is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the connection, or the end of the last request, to the end of the next request's headers.
    pub headers: Duration,
    /// From the word to stop to the end of what is under way.
    pub drain: Duration,
}

impl Default for Patience {
    /// Cloud Run sends SIGTERM and takes the processor away ten seconds later.
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(30),
            drain: Duration::from_secs(8),
        }
    }
}

const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// Cloud Run sends no more than this to one instance.
const MAX_STREAMS: u32 = 1000;

/// Listens where Cloud Run expects it: on all addresses.
///
/// # Errors
///
/// When the port is taken or not allowed.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).await
}

/// Answers until `stop` is ready, then finishes what is under way, within [`Patience::drain`].
///
/// Gives the number of connections that had to be cut.
pub async fn serve(
    listener: TcpListener,
    answer: Answer,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> usize {
    let builder = connection_builder(patience);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _peer)) => {
                // Answers are small and complete: waiting for more to send only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "nodelay could not be set");
                }
                let connection = connection(
                    &builder,
                    Opening::new(stream, patience.headers),
                    Arc::clone(&answer),
                );
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended badly");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: accepting again at once would spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let open = graceful.count();
    match tokio::time::timeout(patience.drain, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_elapsed) => open,
    }
}

fn connection_builder(patience: Patience) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES as usize * 2);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.headers)
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .adaptive_window(true);
    builder
}

fn connection(
    builder: &auto::Builder<TokioExecutor>,
    stream: Opening,
    answer: Answer,
) -> impl hyper_util::server::graceful::GracefulConnection<
    Error = Box<dyn std::error::Error + Send + Sync>,
> + Send
+ use<> {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (request, unread) = unread::lend(request);
        let answered = answer(request.map(BodyExt::boxed_unsync));
        async move {
            let mut response = answered.await;
            unread.settle(&mut response).await;
            Ok::<_, Infallible>(response)
        }
    });
    builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned()
}

/// Ready when the process is told to end: SIGTERM (Cloud Run) or SIGINT (Ctrl-C).
///
/// Handlers are installed by the first call, at once: process 1 of a container ignores signals
/// that it has no handler for.
///
/// # Errors
///
/// When the handlers cannot be installed.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

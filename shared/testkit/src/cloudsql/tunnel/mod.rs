//! The proxy in front of an instance's database: TLS with client certificates, a login, and then bytes.

mod handshake;
mod login;
mod message;
mod postgres;
mod relay;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fault::{Effect, Step};
use super::instance::Inner;
use super::journal::Event;

/// Serves connections until it is dropped.
pub(super) async fn accept(listener: TcpListener, instance: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let instance = Arc::clone(&instance);
        connections.spawn(async move {
            let mut cuts = instance.cuts.subscribe();
            let connection = Connection::open(instance, &stream);
            tokio::select! {
                () = connection.serve(stream) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// A connection, counted as open while this lives, also when its task is aborted.
struct Connection {
    instance: Arc<Inner>,
    number: u64,
}

impl Connection {
    fn open(instance: Arc<Inner>, stream: &TcpStream) -> Self {
        let number = instance.cloud.next_connection();
        instance.open.fetch_add(1, Ordering::Relaxed);
        let connection = Self { instance, number };
        if let Ok(address) = stream.local_addr() {
            connection.note(Event::Accepted {
                connection: number,
                instance: connection.instance.name.to_string(),
                address,
            });
        }
        connection
    }

    fn note(&self, event: Event) {
        self.instance.cloud.journal.add(event);
    }

    async fn serve(&self, mut stream: TcpStream) {
        // Without it answers are slower, not wrong.
        stream.set_nodelay(true).ok();
        let fault = self.instance.cloud.fault(Step::Tcp);
        if !survives(fault, &mut stream).await {
            return;
        }
        let Some(mut secured) = self.handshake(stream).await else {
            return;
        };
        if self.instance.options.is_postgres() {
            self.serve_postgres(&mut secured).await;
        } else {
            self.serve_unread(&mut secured).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.instance.open.fetch_sub(1, Ordering::Relaxed);
        self.note(Event::Closed {
            connection: self.number,
        });
    }
}

/// Suffers a fault of the network; false when the connection is to be closed.
async fn survives(fault: Option<Effect>, stream: &mut TcpStream) -> bool {
    use tokio::io::AsyncWriteExt as _;
    match fault {
        None => true,
        Some(Effect::Delay(time)) => {
            tokio::time::sleep(time).await;
            true
        }
        Some(Effect::Hang) => std::future::pending().await,
        Some(Effect::Garbage) => {
            // The client finds out either way.
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
            false
        }
        Some(Effect::Drop | Effect::Status(_) | Effect::RetryAfter(..) | Effect::Reason(..)) => {
            // A reset, not a polite end: it is an accident that is played here.
            stream.set_zero_linger().ok();
            false
        }
    }
}

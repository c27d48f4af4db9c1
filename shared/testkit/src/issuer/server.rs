//! An issuer on a port of its own, for tests.

use std::ops::Deref;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use super::client::Client;
use super::{Config, Issuer};

/// An [`Issuer`] that listens until this is dropped.
pub struct RunningIssuer {
    issuer: Issuer,
    task: JoinHandle<()>,
}

impl Issuer {
    /// Starts an issuer with a new key on a free port of this machine. It knows the client `nova`.
    pub async fn start() -> anyhow::Result<RunningIssuer> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let issuer = Self::new(Config {
            url: Url::parse(&format!("http://{address}/oidc"))?,
            key_file: None,
            audience: "https://nova.test".to_owned(),
            clients: vec![Client::public("nova", "Nova")],
        })?;
        Ok(issuer.serve(listener))
    }

    /// Listens at the address that the issuer's own URL names.
    pub fn serve(self, listener: TcpListener) -> RunningIssuer {
        let issuer = self.clone();
        let task = tokio::spawn(async move {
            // Dropped with this task, so that open connections end with the issuer.
            let mut connections = JoinSet::new();
            while let Ok((stream, _peer)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let issuer = issuer.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = issuer.handle(request);
                        async move { Ok::<_, std::convert::Infallible>(answer.await) }
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    // A client that goes away is the client's business.
                    let _gone = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        RunningIssuer { issuer: self, task }
    }
}

impl Deref for RunningIssuer {
    type Target = Issuer;

    fn deref(&self) -> &Issuer {
        &self.issuer
    }
}

impl Drop for RunningIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

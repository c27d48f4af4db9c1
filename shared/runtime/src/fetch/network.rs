//! What lies under the client: names and connections.

use std::{
    fmt::Debug,
    io,
    net::{IpAddr, SocketAddr},
};

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

/// Resolves names and opens connections. The client decides which of them; tests put sites of
/// their own behind public addresses here.
pub trait Network: Debug + Send + Sync + 'static {
    /// All addresses of a name. It is asked once for each request that is sent.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// A connection to exactly this address.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// The network that the machine is in.
#[derive(Clone, Copy, Debug)]
pub struct Internet {
    search_domains: bool,
}

impl Internet {
    /// Names mean what they mean everywhere.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            search_domains: false,
        }
    }

    /// Names mean what they mean on this machine: its search domains and its hosts file count.
    #[must_use]
    pub const fn with_search_domains() -> Self {
        Self {
            search_domains: true,
        }
    }
}

impl Default for Internet {
    fn default() -> Self {
        Self::new()
    }
}

impl Network for Internet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            // The dot keeps the resolver from appending the domains of the cloud's own network to
            // a name that does not exist.
            let name = if self.search_domains {
                name.to_owned()
            } else {
                format!("{name}.")
            };
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(address))
    }
}

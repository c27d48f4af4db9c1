//! What can be chosen about a server, and what that means on its command line.
//!
//! Nothing is written into the data directory, so that the settings are the same whoever made it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result};
use uuid::Uuid;

/// The port when there is only a socket: then it is no more than a part of the socket's name.
const SOCKET_PORT: u16 = 5432;
/// Below the ports that systems give to outgoing connections (32768 and up on Linux).
const PORTS: std::ops::Range<u16> = 20_000..32_768;

/// What can be chosen about a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most connections at once.
    pub max_connections: u16,
    /// A port on 127.0.0.1 beside the unix socket; `Some(0)` takes a free one of 20000 to 32767.
    pub tcp_port: Option<u16>,
    /// More settings of `postgresql.conf`, by name; they win over ours.
    pub more: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 100,
            tcp_port: None,
            more: Vec::new(),
        }
    }
}

/// How a server is asked to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Ends the connections and saves everything.
    Fast,
    /// Drops everything at once, as a crash would; the next start recovers from the log.
    Immediate,
}

impl Stop {
    /// What the server understands as this.
    pub(super) fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

impl Settings {
    /// The port to listen on: the one that was chosen, or the one that the server had before.
    pub(super) fn port(&self, before: Option<u16>) -> Result<u16> {
        match (self.tcp_port, before) {
            (None, _) => Ok(SOCKET_PORT),
            (Some(0), Some(before)) => Ok(before),
            (Some(0), None) => free_port(),
            (Some(port), _) => Ok(port),
        }
    }

    /// The server's arguments after its data directory.
    pub(super) fn arguments(&self, port: u16, sockets: &Path, throw_away: bool) -> Vec<String> {
        let mut all = Vec::new();
        let mut set =
            |name: &str, value: &str| all.extend(["-c".to_owned(), format!("{name}={value}")]);
        let addresses = if self.tcp_port.is_some() {
            "127.0.0.1"
        } else {
            ""
        };
        set("listen_addresses", addresses);
        set("port", &port.to_string());
        set("unix_socket_directories", &sockets.to_string_lossy());
        set("max_connections", &self.max_connections.to_string());
        set("password_encryption", "scram-sha-256");
        set("timezone", "UTC");
        set("log_timezone", "UTC");
        if throw_away {
            // Nothing waits for a disk. Commits still reach the system before they are
            // acknowledged, as synchronous_commit stays on: tests crash servers, not machines.
            set("fsync", "off");
            set("full_page_writes", "off");
            // Shared memory in the server's own directory, which is sure to be removed.
            set("dynamic_shared_memory_type", "mmap");
            // Statistics and plans then change only where a test says ANALYZE.
            set("autovacuum", "off");
            // The log of changes may be held in memory: a quarter of the usual gigabyte.
            set("max_wal_size", "256MB");
        }
        for (name, value) in &self.more {
            set(name, value);
        }
        all
    }
}

/// A port of 127.0.0.1 that nobody listens on, looked for from a random one.
fn free_port() -> Result<u16> {
    let (_, random) = Uuid::now_v7().as_u64_pair();
    let count = PORTS.end - PORTS.start;
    let first = u16::try_from(random % u64::from(count)).context("a remainder fits")?;
    (0..count)
        .map(|step| PORTS.start + (first + step) % count)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port from 20000 to 32767")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_below_those_of_outgoing_connections() {
        assert!(PORTS.contains(&free_port().unwrap()));
    }
}

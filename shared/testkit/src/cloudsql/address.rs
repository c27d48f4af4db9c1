//! Addresses of this machine for instances: connectors dial port 3307 and no other, so each instance
//! has an address of its own.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpListener;

/// Where the proxy in front of an instance listens, at Google and in all connectors.
pub(super) const PORT: u16 = 3307;

/// More than enough: there are sixteen million addresses, and few are taken.
const ATTEMPTS: usize = 50;

/// Listens on an address that no other process of this machine uses. Linux answers for all of
/// 127.0.0.0/8 without being told, and to every user.
pub(super) async fn listen() -> anyhow::Result<TcpListener> {
    let random = SystemRandom::new();
    let mut refused = None;
    for _ in 0..ATTEMPTS {
        let mut bytes = [0; 3];
        random.fill(&mut bytes).map_err(anyhow::Error::msg)?;
        // 127.0.0.x is where people put things by hand; 0 and 255 at the end look like networks.
        let [a, b, c] = bytes.map(|byte| byte.clamp(1, 254));
        let address = SocketAddr::from((Ipv4Addr::new(127, a, b, c), PORT));
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = Some(error),
        }
    }
    let refused = refused.context("nothing was tried")?;
    Err(refused).context("no address of 127.0.0.0/8 has its port 3307 free")
}

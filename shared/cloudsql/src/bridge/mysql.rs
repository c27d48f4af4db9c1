//! The bridge for MySQL, as sqlx's connect options.
//!
//! The server speaks first here, so the instance is dialed as soon as a client comes.

use std::io;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use tokio::{io::AsyncWriteExt as _, net::UnixStream};

use super::{Bridge, Tunnel, relay};
use crate::{connector::Connector, error::Error};

/// A way for sqlx to a MySQL instance; make one for each pool, and keep it as long as the pool.
#[derive(Debug)]
pub struct MySqlBridge {
    bridge: Bridge,
    iam_login: bool,
}

impl MySqlBridge {
    /// Listens for one pool. Nothing is connected before the pool connects.
    ///
    /// # Errors
    ///
    /// When the name cannot be one of an instance, or no socket can be made.
    pub fn start(connector: &Connector, instance: &str) -> Result<Self, Error> {
        let bridge = Bridge::start(connector, instance, SOCKET, serve)?;
        Ok(Self {
            bridge,
            iam_login: connector.iam_login(),
        })
    }

    /// Options that lead through the bridge. An IAM user may be given by its full address; MySQL
    /// knows it without what follows the `@`.
    pub fn options(&self, user: &str) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .socket(self.bridge.place().join(SOCKET))
            // The tunnel is TLS, from here to the instance.
            .ssl_mode(MySqlSslMode::Disabled);
        if self.iam_login {
            let user = user.split('@').next().unwrap_or(user);
            // The server asks for a password and takes any: the certificate is what counts.
            options.username(user).enable_cleartext_plugin(true)
        } else {
            options.username(user)
        }
    }
}

const SOCKET: &str = "mysql.sock";

async fn serve(mut client: UnixStream, tunnel: Tunnel) -> io::Result<()> {
    match tunnel.dial(tunnel.deadline()).await {
        Ok(mut server) => relay(&mut client, &mut server).await,
        Err(error) => {
            client.write_all(&error_packet(&error)).await?;
            client.shutdown().await
        }
    }
}

/// `CR_CONN_HOST_ERROR`, what clients say when they cannot reach a server.
const CODE: u16 = 2003;

/// Our error in the server's own form; sqlx gives it to its user as `Error::Database`.
fn error_packet(error: &Error) -> Vec<u8> {
    let mut text = format!("cloudsql: {}: {error}", error.detail());
    text.truncate(text.floor_char_boundary(1000));
    let mut content = vec![0xFF];
    content.extend_from_slice(&CODE.to_le_bytes());
    content.extend_from_slice(b"#08001");
    content.extend_from_slice(text.as_bytes());
    let length = u32::try_from(content.len())
        .unwrap_or_default()
        .to_le_bytes();
    let mut packet = Vec::with_capacity(content.len() + 4);
    // Three bytes of length, then the packet's number.
    packet.extend(length.iter().take(3));
    packet.push(0);
    packet.append(&mut content);
    packet
}

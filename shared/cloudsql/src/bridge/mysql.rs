//! The bridge for MySQL, as sqlx's connect options.
//!
//! The server speaks first here, so the instance is dialed as soon as a client comes. Its greeting is
//! read before the client is: a certificate that it refuses is replaced, and the client never hears
//! of it. The login that follows is not tried again, since the client's answer fits one greeting only.

use std::{io, sync::Arc};

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use super::{Bridge, Call, Tunnel, may_be_the_certificate, relay, sqlstate};
use crate::{connector::Connector, error::Error, settings::Engine, stream::Stream};

/// A way for sqlx to a MySQL instance; make one for each pool, and keep it as long as the pool.
///
/// With [`iam_login`](crate::ConnectorBuilder::iam_login), users log in as Google's own connectors
/// let them: the login token is in the certificate, the user is named without what follows the `@`,
/// and a server that asks for a password in clear text (`mysql_clear_password`) gets an empty one.
/// sqlx warns at each connection that passwords may go in clear text; the tunnel is TLS.
///
/// A token as the password (IAM login without a certificate) takes a connector without `iam_login`,
/// `options(user).enable_cleartext_plugin(true).password(token.secret())`, and new options in the pool
/// (`Pool::set_connect_options`) before the token ends.
///
/// Both were tried as far as what the client says: against the packets that are documented for it, not
/// against Google's servers, so nothing shows yet that those let it in.
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
    /// When the name cannot be one of an instance, or no socket can be made: outside of a Tokio
    /// runtime, for example.
    pub fn start(connector: &Connector, instance: &str) -> Result<Self, Error> {
        let bridge = Bridge::start(connector, instance, Engine::MySql, SOCKET, serve)?;
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

/// A greeting holds a version, some random bytes and a name.
const MAX_GREETING: usize = 4 * 1024;

/// Longer than anything that we say and do not quote.
const LONGEST_TEXT: usize = 2000;

async fn serve(mut client: UnixStream, tunnel: Tunnel) -> io::Result<()> {
    match open(tunnel.call()).await {
        Ok((mut server, greeting)) => {
            client.write_all(&greeting).await?;
            relay(&mut client, &mut server).await
        }
        Err(error) => {
            client.write_all(&error_packet(&error)).await?;
            client.shutdown().await
        }
    }
}

/// A tunnel, and the server's first packet: a greeting, or an error in the server's own words.
async fn open(call: Call<'_>) -> Result<(Stream, Vec<u8>), Error> {
    let mut server = call.dial().await?;
    let error = match call.hear(read_packet(&mut server)).await {
        Ok(greeting) => return Ok((server, greeting)),
        Err(error) if may_be_the_certificate(&error) => error,
        Err(error) => return Err(error),
    };
    tracing::debug!(%error, "no greeting came; trying again with a new certificate");
    let refused = Arc::clone(server.session());
    drop(server);
    let mut server = call.dial_again(&refused).await?;
    let greeting = call.hear(read_packet(&mut server)).await?;
    Ok((server, greeting))
}

/// One packet with its head: three bytes of length, and the packet's number.
async fn read_packet(server: &mut Stream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    server.read_exact(&mut packet).await?;
    let length = match *packet.as_slice() {
        [a, b, c, 0] => usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    if !(1..=MAX_GREETING).contains(&length) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the server does not speak the protocol of MySQL",
        ));
    }
    packet.resize(4 + length, 0);
    if let Some(content) = packet.get_mut(4..) {
        server.read_exact(content).await?;
    }
    Ok(packet)
}

/// `CR_CONN_HOST_ERROR`, what clients say when they cannot reach a server.
const CODE: u16 = 2003;

/// Our error in the server's own form; sqlx gives it to its user as `Error::Database`. There is one
/// text for all: what went wrong, what to do, and then what it came from.
fn error_packet(error: &Error) -> Vec<u8> {
    let mut text = format!("cloudsql: {error}");
    let causes = error.detail();
    if let Some(causes) = causes.strip_prefix(error.message())
        && !causes.is_empty()
    {
        text.push_str("; caused by");
        text.push_str(causes);
    }
    text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    let mut content = vec![0xFF];
    content.extend_from_slice(&CODE.to_le_bytes());
    content.push(b'#');
    content.extend_from_slice(sqlstate(error).as_bytes());
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

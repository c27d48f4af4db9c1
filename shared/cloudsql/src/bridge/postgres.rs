//! The bridge for PostgreSQL, as sqlx's connect options.
//!
//! The client speaks first here, which is what makes a second try possible: its start-up packet is
//! kept until the server has said something other than "no".

use std::{io, sync::Arc};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout_at,
};

use super::{Bridge, Call, Tunnel, may_be_the_certificate, relay, sqlstate};
use crate::{
    connector::Connector,
    error::{Error, ErrorKind, Step},
    settings::Engine,
    stream::Stream,
    tokens::{LOGIN_SCOPE, Token},
};

/// A way for sqlx to a PostgreSQL instance; make one for each pool, and keep it as long as the pool.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use cloudsql_connector::{Connector, PgBridge};
///
/// let connector = Connector::builder().iam_login(true).build()?;
/// let bridge = PgBridge::start(&connector, "project:europe-west1:main")?;
/// let options = bridge.options("nova@project.iam.gserviceaccount.com").database("nova");
/// let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy_with(options);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PgBridge {
    bridge: Bridge,
    iam_login: bool,
}

/// Who answers when the server asks for a password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Password {
    Client,
    Token,
}

impl PgBridge {
    /// Listens for one pool. Nothing is connected before the pool connects.
    ///
    /// # Errors
    ///
    /// When the name cannot be one of an instance, or no socket can be made: outside of a Tokio
    /// runtime, for example.
    pub fn start(connector: &Connector, instance: &str) -> Result<Self, Error> {
        Self::listen(connector, instance, Password::Client)
    }

    /// As [`PgBridge::start`], for IAM users of instances whose users do not log in by certificate:
    /// the password is an access token, fetched anew for each login.
    ///
    /// # Errors
    ///
    /// As for [`PgBridge::start`].
    pub fn start_with_token_as_password(
        connector: &Connector,
        instance: &str,
    ) -> Result<Self, Error> {
        Self::listen(connector, instance, Password::Token)
    }

    fn listen(connector: &Connector, instance: &str, password: Password) -> Result<Self, Error> {
        let serve = move |client, tunnel| serve(client, tunnel, password);
        let bridge = Bridge::start(connector, instance, Engine::Postgres, SOCKET, serve)?;
        let iam_login = connector.iam_login() || password == Password::Token;
        Ok(Self { bridge, iam_login })
    }

    /// Options that lead through the bridge. An IAM user may be given by the full address of the
    /// service account; PostgreSQL knows it without `.gserviceaccount.com`.
    pub fn options(&self, user: &str) -> PgConnectOptions {
        let user = if self.iam_login {
            trim_user(user)
        } else {
            user
        };
        PgConnectOptions::new_without_pgpass()
            .socket(self.bridge.place())
            .port(PORT)
            .username(user)
            // The tunnel is TLS, from here to the instance.
            .ssl_mode(PgSslMode::Disable)
    }

    /// As [`PgBridge::options`], for the user whose credentials the connector has, whoever that is:
    /// on Cloud Run the service account of the function.
    pub fn options_of_principal(&self) -> PgConnectOptions {
        self.options(PRINCIPAL)
    }
}

/// PostgreSQL's clients are given a directory, and make the name from the port.
const PORT: u16 = 5432;
const SOCKET: &str = ".s.PGSQL.5432";

/// In a start-up packet, the place of the user who is found out when a connection is opened. No
/// database user can have this name.
const PRINCIPAL: &str = "cloudsql-connector:principal";

/// PostgreSQL's name for a service account.
fn trim_user(user: &str) -> &str {
    user.strip_suffix(".gserviceaccount.com").unwrap_or(user)
}

/// PostgreSQL's own limit.
const MAX_STARTUP: usize = 10_000;
const MAX_ANSWER: usize = 64 * 1024;
const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

async fn serve(mut client: UnixStream, tunnel: Tunnel, password: Password) -> io::Result<()> {
    let call = tunnel.call();
    let (code, startup) = timeout_at(call.deadline, read_startup(&mut client)).await??;
    let connected = match call.dial().await {
        Ok(mut server) if code == CANCEL => {
            server.write_all(&startup).await?;
            server.flush().await?;
            return relay(&mut client, &mut server).await;
        }
        Ok(server) => {
            let login = Login { call, password };
            login.log_in(server, startup).await
        }
        Err(error) => Err(error),
    };
    match connected {
        Ok((mut server, answer)) => {
            client.write_all(&answer).await?;
            let rest = pass_login(&mut client, &mut server, answer);
            match call.hear(rest).await {
                Ok(()) => relay(&mut client, &mut server).await,
                Err(error) => refuse(client, &error).await,
            }
        }
        Err(error) => refuse(client, &error).await,
    }
}

async fn refuse(mut client: UnixStream, error: &Error) -> io::Result<()> {
    client.write_all(&error_response(error)).await?;
    client.shutdown().await
}

/// Passes the rest of the login on, until the server is ready for queries or has said why it is not.
/// Whoever is asked answers; nobody speaks out of turn.
async fn pass_login(
    client: &mut UnixStream,
    server: &mut Stream,
    answer: Vec<u8>,
) -> io::Result<()> {
    let mut message = last_message(&answer).to_vec();
    // ReadyForQuery, ErrorResponse
    while !matches!(message.first(), Some(b'Z' | b'E')) {
        if is_question(&message) {
            message.clear();
            read_message(client, &mut message).await?;
            server.write_all(&message).await?;
            server.flush().await?;
        }
        message.clear();
        read_message(server, &mut message).await?;
        client.write_all(&message).await?;
    }
    Ok(())
}

/// The start-up packet and its code. Requests for encryption are declined: the tunnel has it.
async fn read_startup(client: &mut UnixStream) -> io::Result<(u32, Vec<u8>)> {
    loop {
        let length = client.read_u32().await?;
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if !(8..=MAX_STARTUP).contains(&size) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a start-up packet of no possible length",
            ));
        }
        let code = client.read_u32().await?;
        let mut packet = Vec::with_capacity(size);
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&code.to_be_bytes());
        packet.resize(size, 0);
        if let Some(rest) = packet.get_mut(8..) {
            client.read_exact(rest).await?;
        }
        match code {
            SSL | GSS => client.write_all(b"N").await?,
            _ => return Ok((code, packet)),
        }
    }
}

/// A tunnel, and what the server said first.
type Begun = (Stream, Vec<u8>);

/// One client's login.
struct Login<'a> {
    call: Call<'a>,
    password: Password,
}

impl Login<'_> {
    /// Logs in. When the server refuses the certificate or the token, once more with new ones: the
    /// old ones may be of somebody who has been granted access only since.
    async fn log_in(&self, server: Stream, startup: Vec<u8>) -> Result<Begun, Error> {
        let startup = self.name_principal(startup).await?;
        let session = Arc::clone(server.session());
        let begun = self.begin(server, &startup).await;
        let connector = &self.call.tunnel.connector;
        let uses_tokens = connector.iam_login() || self.password == Password::Token;
        let refused = match &begun {
            Err(error) => may_be_the_certificate(error),
            Ok((_, answer)) => uses_tokens && is_login_refused(answer),
        };
        if !refused {
            return begun;
        }
        tracing::debug!("the login failed; trying again with a new certificate and token");
        if uses_tokens && let Ok(token) = self.token().await {
            connector.tokens().forget(&token);
        }
        let server = self.call.dial_again(&session).await?;
        self.begin(server, &startup).await
    }

    /// Puts the connector's own user into a start-up packet that leaves the place open.
    async fn name_principal(&self, startup: Vec<u8>) -> Result<Vec<u8>, Error> {
        let open = [b"user\0", PRINCIPAL.as_bytes(), b"\0"].concat();
        let Some(at) = startup.windows(open.len()).position(|part| part == open) else {
            return Ok(startup);
        };
        let principal = self.call.tunnel.connector.tokens().principal();
        let principal = timeout_at(self.call.deadline, principal)
            .await
            .ok()
            .flatten();
        let principal = principal.ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                Step::Login,
                "the credentials do not say whose they are",
            )
            .remedy("name the database user")
        })?;
        let (before, rest) = startup.split_at(at);
        let after = rest.get(open.len()..).unwrap_or_default();
        let user = [b"user\0", trim_user(&principal).as_bytes(), b"\0"].concat();
        let mut named = [before, &user, after].concat();
        let length = u32::try_from(named.len()).unwrap_or(u32::MAX);
        named.splice(..4, length.to_be_bytes());
        Ok(named)
    }

    async fn token(&self) -> Result<Token, Error> {
        let tokens = self.call.tunnel.connector.tokens();
        let token = timeout_at(self.call.deadline, tokens.token(&[LOGIN_SCOPE])).await;
        let token = token.map_err(|_late| {
            let what = "the token for the login did not come in time";
            Error::new(ErrorKind::Timeout, Step::Token, what)
        })?;
        token.map_err(Error::from)
    }

    /// Sends the start-up packet and reads until it is clear what the server thinks of it; answers a
    /// question for a password, if that is for us to do.
    async fn begin(&self, mut server: Stream, startup: &[u8]) -> Result<Begun, Error> {
        let mut answer = self.ask(&mut server, startup).await?;
        if self.password == Password::Token && is_password_wanted(&answer) {
            let message = password_message(self.token().await?.secret());
            answer = self.ask(&mut server, &message).await?;
        }
        Ok((server, answer))
    }

    /// Sends a message and gives the answer to it, with the notices before it.
    async fn ask(&self, server: &mut Stream, message: &[u8]) -> Result<Vec<u8>, Error> {
        let exchange = async {
            server.write_all(message).await?;
            server.flush().await?;
            let mut seen = Vec::new();
            loop {
                let start = seen.len();
                read_message(server, &mut seen).await?;
                // NoticeResponse and NegotiateProtocolVersion are not the answer yet.
                if !matches!(seen.get(start), Some(b'N' | b'v')) {
                    return Ok::<_, io::Error>(seen);
                }
            }
        };
        self.call.hear(exchange).await
    }
}

/// Reads one message with its head: type, length, content.
async fn read_message(from: &mut (impl AsyncRead + Unpin), seen: &mut Vec<u8>) -> io::Result<()> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await?;
    let [_, a, b, c, d] = head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if !(4..=MAX_ANSWER.saturating_sub(seen.len())).contains(&length) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the server does not speak the protocol of PostgreSQL",
        ));
    }
    seen.extend_from_slice(&head);
    let start = seen.len();
    seen.resize(start + length - 4, 0);
    if let Some(content) = seen.get_mut(start..) {
        from.read_exact(content).await?;
    }
    Ok(())
}

/// The last of some messages.
fn last_message(mut messages: &[u8]) -> &[u8] {
    while let Some((&[_, a, b, c, d], _)) = messages.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        match messages.get(length.saturating_add(1)..) {
            Some(rest) if !rest.is_empty() => messages = rest,
            _ => break,
        }
    }
    messages
}

/// Something about authentication other than `AuthenticationOk` and `AuthenticationSASLFinal`.
fn is_question(message: &[u8]) -> bool {
    match *message {
        [b'R', _, _, _, _, a, b, c, d, ..] => !matches!(u32::from_be_bytes([a, b, c, d]), 0 | 12),
        _ => false,
    }
}

/// `AuthenticationCleartextPassword`.
fn is_password_wanted(messages: &[u8]) -> bool {
    last_message(messages) == [b'R', 0, 0, 0, 8, 0, 0, 0, 3]
}

fn password_message(password: &str) -> Vec<u8> {
    let length = u32::try_from(password.len() + 5).unwrap_or(u32::MAX);
    let mut message = vec![b'p'];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(password.as_bytes());
    message.push(0);
    message
}

/// An error of class 28, invalid authorization.
fn is_login_refused(messages: &[u8]) -> bool {
    let message = last_message(messages);
    message.first() == Some(&b'E')
        && message
            .get(5..)
            .unwrap_or_default()
            .split(|byte| *byte == 0)
            .any(|field| field.starts_with(b"C28"))
}

/// Our error in the server's own form; sqlx gives it to its user as `Error::Database`.
fn error_response(error: &Error) -> Vec<u8> {
    let message = format!("cloudsql: {}: {}", error.step(), error.detail());
    let (detail, hint) = (error.to_string(), error.hint().unwrap_or_default());
    // For programs: a place that the server's own errors have, too, and that people do not read.
    let routine = format!("cloudsql::{}", error.class());
    let fields = [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', sqlstate(error)),
        (b'M', message.as_str()),
        (b'D', detail.as_str()),
        (b'H', hint),
        (b'R', routine.as_str()),
    ];
    let mut content = Vec::new();
    for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
        content.push(*name);
        content.extend(text.bytes().filter(|byte| *byte != 0));
        content.push(0);
    }
    content.push(0);
    let mut response = vec![b'E'];
    let length = u32::try_from(content.len() + 4).unwrap_or(u32::MAX);
    response.extend_from_slice(&length.to_be_bytes());
    response.append(&mut content);
    response
}

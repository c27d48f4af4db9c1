//! The few messages of PostgreSQL's protocol that pass before somebody is logged in.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// As PostgreSQL's own limit for a start-up packet.
const MAX_STARTUP_BYTES: usize = 10_000;
/// Access tokens are long, and no longer than this.
const MAX_PASSWORD_BYTES: usize = 64 * 1024;

const CANCEL_REQUEST: u32 = 80_877_102;
const PROTOCOL_MAJOR: u32 = 3;

/// `AuthenticationCleartextPassword`.
pub(super) const PASSWORD_PLEASE: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 3];

/// What a client says first.
#[derive(Debug)]
pub(super) struct Opening {
    /// The packet, to be passed on.
    pub(super) bytes: Vec<u8>,
    pub(super) wish: Wish,
}

#[derive(Debug)]
pub(super) enum Wish {
    /// To log in.
    Session { user: String, database: String },
    /// To end what another connection is doing.
    Cancel,
    /// To negotiate encryption, which this connection has already, or something unheard of.
    Strange(u32),
}

impl Opening {
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let length = stream.read_u32().await?;
        let rest = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .saturating_sub(4);
        if !(4..=MAX_STARTUP_BYTES).contains(&rest) {
            return Err(invalid("the first packet is of no known kind"));
        }
        let mut body = vec![0; rest];
        stream.read_exact(&mut body).await?;
        let (code, parameters) = body.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let wish = match u32::from_be_bytes(*code) {
            CANCEL_REQUEST => Wish::Cancel,
            code if code >> 16 == PROTOCOL_MAJOR => session(parameters)?,
            code => Wish::Strange(code),
        };
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(body);
        Ok(Self { bytes, wish })
    }
}

/// Names and values, each ended by a zero, and one more zero at the end.
fn session(parameters: &[u8]) -> io::Result<Wish> {
    let mut texts = parameters
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy);
    let (mut user, mut database) = (None, None);
    while let (Some(name), Some(value)) = (texts.next().filter(|it| !it.is_empty()), texts.next()) {
        match name.as_ref() {
            "user" => user = Some(value.into_owned()),
            "database" => database = Some(value.into_owned()),
            _ => {}
        }
    }
    let user = user.ok_or_else(|| invalid("a start-up packet without a user"))?;
    let database = database.unwrap_or_else(|| user.clone());
    Ok(Wish::Session { user, database })
}

/// The answer to [`PASSWORD_PLEASE`].
pub(super) async fn read_password(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    let rest = length.saturating_sub(4);
    if kind != b'p' || rest > MAX_PASSWORD_BYTES {
        return Err(invalid("not a password"));
    }
    let mut password = vec![0; rest];
    stream.read_exact(&mut password).await?;
    password.pop_if(|last| *last == 0);
    String::from_utf8(password).map_err(|_bytes| invalid("the password is not UTF-8"))
}

/// An `ErrorResponse` that ends a connection.
pub(super) fn fatal(code: &str, message: &str) -> Vec<u8> {
    let fields = [('S', "FATAL"), ('V', "FATAL"), ('C', code), ('M', message)];
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(name.to_string().bytes());
        body.extend(value.bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut bytes = vec![b'E'];
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

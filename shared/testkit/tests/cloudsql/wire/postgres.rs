//! As much of PostgreSQL's protocol as a login and a query need.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::SOON;

/// A message from the server.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: char,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A field of an error: `C` is the SQLSTATE, `M` the message.
    pub(crate) fn field(&self, name: char) -> String {
        assert_eq!(self.kind, 'E', "{self:?}");
        let mut fields = self.body.split(|byte| *byte == 0);
        let field = fields.find(|it| it.first().is_some_and(|it| char::from(*it) == name));
        String::from_utf8(field.unwrap()[1..].to_vec()).unwrap()
    }

    /// The only column of a row.
    fn column(&self) -> String {
        assert_eq!(self.kind, 'D', "{self:?}");
        String::from_utf8(self.body[6..].to_vec()).unwrap()
    }
}

/// A client's end of a connection to PostgreSQL.
pub(crate) struct Session<S>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Sends the start-up packet and reads the first answer.
    pub(crate) async fn start(
        stream: S,
        user: &str,
        database: &str,
    ) -> io::Result<(Self, Message)> {
        let mut session = Self(stream);
        let parameters = format!("user\0{user}\0database\0{database}\0\0");
        session.packet(196_608, parameters.as_bytes()).await?;
        let first = session.read().await?;
        Ok((session, first))
    }

    /// A packet without a kind.
    pub(crate) async fn packet(&mut self, code: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 8).unwrap();
        let bytes = [&length.to_be_bytes(), &code.to_be_bytes(), body].concat();
        self.0.write_all(&bytes).await?;
        self.0.flush().await
    }

    pub(crate) async fn send(&mut self, kind: char, text: &str) -> io::Result<()> {
        let length = u32::try_from(text.len() + 5).unwrap();
        let head = [u8::try_from(kind).unwrap()];
        let bytes = [&head, &length.to_be_bytes()[..], text.as_bytes(), &[0]].concat();
        self.0.write_all(&bytes).await?;
        self.0.flush().await
    }

    pub(crate) async fn read(&mut self) -> io::Result<Message> {
        let read = async {
            let kind = char::from(self.0.read_u8().await?);
            let length = self.0.read_u32().await?;
            let mut body = vec![0; usize::try_from(length).unwrap() - 4];
            self.0.read_exact(&mut body).await?;
            Ok(Message { kind, body })
        };
        timeout(SOON, read).await.expect("a message in time")
    }

    /// Reads on until a message of this kind.
    pub(crate) async fn read_until(&mut self, kind: char) -> io::Result<Message> {
        loop {
            let message = self.read().await?;
            if message.kind == kind {
                return Ok(message);
            }
            assert_ne!(message.kind, 'E', "{}", message.field('M'));
        }
    }

    /// The text of the only row.
    pub(crate) async fn query(&mut self, sql: &str) -> io::Result<String> {
        self.send('Q', sql).await?;
        let text = self.read_until('D').await?.column();
        self.read_until('Z').await?;
        Ok(text)
    }
}

//! PostgreSQL's protocol, as little of it as a measurement of bytes needs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Begins a session of a user who needs no password.
pub(crate) async fn log_in(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    user: &str,
    database: &str,
) -> Result<()> {
    let content = format!("\0\u{3}\0\0user\0{user}\0database\0{database}\0\0");
    let length = u32::try_from(content.len() + 4)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(content.as_bytes()).await?;
    stream.flush().await?;
    until_ready(stream).await.map(drop)
}

/// Asks, and reads the answer to its end; gives the time and the bytes.
pub(crate) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    query: &str,
) -> Result<(Duration, usize)> {
    let started = Instant::now();
    let mut message = vec![b'Q'];
    message.extend_from_slice(&u32::try_from(query.len() + 5)?.to_be_bytes());
    message.extend_from_slice(query.as_bytes());
    message.push(0);
    stream.write_all(&message).await?;
    stream.flush().await?;
    let bytes = until_ready(stream).await?;
    Ok((started.elapsed(), bytes))
}

/// Reads until the server is ready for the next query, 64 KiB at a time.
async fn until_ready(stream: &mut (impl AsyncRead + Unpin)) -> Result<usize> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut total, mut tail) = (0, Vec::new());
    loop {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the server hung up");
        total += read;
        tail.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let surplus = tail.len().saturating_sub(6);
        tail.drain(..surplus);
        // ReadyForQuery, outside a transaction.
        if tail == [b'Z', 0, 0, 0, 5, b'I'] {
            return Ok(total);
        }
    }
}

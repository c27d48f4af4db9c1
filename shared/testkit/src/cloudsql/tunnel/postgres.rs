//! A connection to PostgreSQL: the start-up packet, the login, and from then on the database itself.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::super::fault::{Effect, Step};
use super::super::journal::Event;
use super::Connection;
use super::handshake::Secured;
use super::login::Refusal;
use super::message::{Opening, Wish, fatal};
use super::relay::{connect, relay};

impl Connection {
    pub(super) async fn serve_postgres(&self, secured: &mut Secured) {
        // It ends when the client goes away or talks nonsense; both know.
        self.try_postgres(secured).await.ok();
    }

    async fn try_postgres(&self, secured: &mut Secured) -> io::Result<()> {
        let Opening { bytes, wish } = Opening::read(&mut secured.stream).await?;
        match wish {
            Wish::Cancel => {}
            Wish::Strange(code) => {
                let message = format!("this connection is encrypted already; what is {code}?");
                return refuse(&mut secured.stream, &fatal("08P01", &message)).await;
            }
            Wish::Session { user, database } => {
                if let Err(refusal) = self.log_in(secured, user, database).await? {
                    return refuse(&mut secured.stream, &refusal.answer).await;
                }
            }
        }
        match connect(&self.instance.options.backend).await {
            Ok(mut backend) => {
                backend.write_all(&bytes).await?;
                relay(&mut secured.stream, &mut backend).await
            }
            Err(error) => {
                let message = format!("the database behind the instance is down: {error}");
                refuse(&mut secured.stream, &fatal("57P03", &message)).await
            }
        }
    }

    async fn log_in(
        &self,
        secured: &mut Secured,
        user: String,
        database: String,
    ) -> io::Result<Result<(), Refusal>> {
        let how = self.method(secured, &user);
        let proven = match self.login_fault(&user).await? {
            Some(refusal) => Ok(Err(refusal)),
            None => self.prove(secured, how, &user).await,
        };
        let refused = match &proven {
            Ok(Ok(())) => None,
            Ok(Err(refusal)) => Some(refusal.reason.clone()),
            Err(error) => Some(error.to_string()),
        };
        self.note(Event::Login {
            connection: self.number,
            user,
            database,
            how,
            refused,
        });
        proven
    }

    async fn login_fault(&self, user: &str) -> io::Result<Option<Refusal>> {
        match self.instance.cloud.fault(Step::Login) {
            None => Ok(None),
            Some(Effect::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
            Some(Effect::Hang) => std::future::pending().await,
            Some(Effect::Drop) => Err(io::Error::other("cut by a fault")),
            Some(Effect::Garbage) => Ok(Some(Refusal {
                answer: b"\xff\xff\xff\xffgarbage".to_vec(),
                reason: "garbage by a fault".to_owned(),
            })),
            Some(Effect::Status(_) | Effect::RetryAfter(..) | Effect::Reason(..)) => {
                Ok(Some(Refusal::iam(user, "refused by a fault")))
            }
        }
    }
}

/// Says why, and ends politely, so that the client reads it.
async fn refuse(stream: &mut (impl AsyncWrite + Unpin), answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await
}

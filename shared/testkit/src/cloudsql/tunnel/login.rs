//! Who may log in: by the token in the certificate, by a token as the password, or by a password.

use std::io;

use tokio::io::AsyncWriteExt as _;

use super::super::journal::LoginMethod;
use super::super::tokens::{ADMIN_SCOPE, CLOUD_SCOPE, LOGIN_SCOPE, Token};
use super::Connection;
use super::handshake::Secured;
use super::message::{PASSWORD_PLEASE, fatal, read_password};

/// An end to a login: what the client reads, and why.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) answer: Vec<u8>,
    pub(super) reason: String,
}

impl Refusal {
    /// The words do not say why: the real ones do not either.
    pub(super) fn iam(user: &str, reason: impl Into<String>) -> Self {
        let is_account = user.rsplit_once('.').is_some_and(|(_, end)| end == "iam");
        let kind = if is_account {
            "service account"
        } else {
            "user"
        };
        let message = format!("Cloud SQL IAM {kind} authentication failed for user \"{user}\"");
        Self {
            answer: fatal("28000", &message),
            reason: reason.into(),
        }
    }

    fn password(user: &str, reason: &str) -> Self {
        let message = format!("password authentication failed for user \"{user}\"");
        Self {
            answer: fatal("28P01", &message),
            reason: reason.to_owned(),
        }
    }
}

impl Connection {
    /// How this user is to be proven.
    pub(super) fn method(&self, secured: &Secured, user: &str) -> LoginMethod {
        let options = &self.instance.options;
        if secured.origin.login_token.is_some() {
            LoginMethod::Certificate
        } else if options.iam_users.iter().any(|it| it == user) {
            LoginMethod::Token
        } else {
            LoginMethod::Password
        }
    }

    /// The outer error is that of a client which went away.
    pub(super) async fn prove(
        &self,
        secured: &mut Secured,
        method: LoginMethod,
        user: &str,
    ) -> io::Result<Result<(), Refusal>> {
        Ok(match method {
            LoginMethod::Certificate => {
                let token = secured.origin.login_token.as_deref();
                self.by_certificate(token.unwrap_or_default(), user)
            }
            LoginMethod::Token => self.by_token(&ask(secured).await?, user),
            LoginMethod::Password => self.by_password(&ask(secured).await?, user),
        })
    }

    fn by_certificate(&self, token: &str, user: &str) -> Result<(), Refusal> {
        let token = self.valid_token(token, user)?;
        if !token.is_for_login_only() && !self.instance.options.broad_login_tokens {
            let reason = format!("the login token is for more: {}", token.scopes.join(" "));
            return Err(Refusal::iam(user, reason));
        }
        may_log_in(&token, user)
    }

    fn by_token(&self, token: &str, user: &str) -> Result<(), Refusal> {
        may_log_in(&*self.valid_token(token, user)?, user)
    }

    fn valid_token(&self, text: &str, user: &str) -> Result<std::sync::Arc<Token>, Refusal> {
        let token = self.instance.cloud.tokens.find(text);
        let token = token.ok_or_else(|| Refusal::iam(user, "the token is unknown"))?;
        if token.is_valid() {
            Ok(token)
        } else {
            Err(Refusal::iam(user, "the token has expired"))
        }
    }

    fn by_password(&self, password: &str, user: &str) -> Result<(), Refusal> {
        match self.instance.options.password_users.get(user) {
            Some(right) if right == password => Ok(()),
            Some(_) => Err(Refusal::password(user, "the password is wrong")),
            None => Err(Refusal::password(user, "there is no such user")),
        }
    }
}

fn may_log_in(token: &Token, user: &str) -> Result<(), Refusal> {
    if !token.has_one_of(&[LOGIN_SCOPE, ADMIN_SCOPE, CLOUD_SCOPE]) {
        let reason = format!(
            "the token is not for logging in: {}",
            token.scopes.join(" ")
        );
        return Err(Refusal::iam(user, reason));
    }
    if user_of(&token.principal) != user {
        let reason = format!("the token is of {}", token.principal);
        return Err(Refusal::iam(user, reason));
    }
    Ok(())
}

/// PostgreSQL's name for a principal: names of more than 63 bytes would not fit.
fn user_of(principal: &str) -> &str {
    let trimmed = principal.strip_suffix(".gserviceaccount.com");
    trimmed.unwrap_or(principal)
}

async fn ask(secured: &mut Secured) -> io::Result<String> {
    secured.stream.write_all(&PASSWORD_PLEASE).await?;
    secured.stream.flush().await?;
    read_password(&mut secured.stream).await
}

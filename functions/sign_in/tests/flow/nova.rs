//! A Nova with the sign-in and two pages of its own, on a port of this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use nova_runtime::serve::{Patience, serve};
use nova_runtime::{
    Access, App, Call, Config, Dispatcher, Environment, Problem, Response, Routes, Scope, json,
};
use nova_testkit::issuer::{Client, Config as IssuerConfig, Issuer, RunningIssuer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub(crate) struct Nova {
    pub(crate) issuer: RunningIssuer,
    pub(crate) address: SocketAddr,
    served: JoinHandle<usize>,
}

impl Drop for Nova {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Nova {
    pub(crate) async fn start() -> Self {
        Self::with(Client::public("nova", "Nova"), &[]).await
    }

    /// With a client as the issuer knows it, and further settings.
    pub(crate) async fn with(client: Client, settings: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server_url = format!("http://{address}");
        let issuer = start_issuer(client, &server_url).await;
        let environment = Environment::from([
            ("SERVER_URL", server_url.as_str()),
            ("OIDC_ISSUER", issuer.url()),
            ("OIDC_CLIENT_ID", "nova"),
        ]);
        let environment = settings
            .iter()
            .fold(environment, |environment, (name, value)| {
                environment.with(name, *value)
            });
        let config = Config::read(&environment).unwrap();
        let (app, routes) = sign_in::FUNCTION.set_up(config).unwrap().unwrap();
        let dispatcher = Dispatcher::new()
            .with(&app, &routes)
            .with(&app, &pages(&app));
        let answer = dispatcher.into_answer();
        let never = std::future::pending::<()>();
        let served = tokio::spawn(serve(listener, answer, Patience::default(), never));
        Self {
            issuer,
            address,
            served,
        }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }
}

async fn start_issuer(client: Client, audience: &str) -> RunningIssuer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/oidc", listener.local_addr().unwrap());
    let issuer = Issuer::new(IssuerConfig {
        url: Url::parse(&url).unwrap(),
        key_file: None,
        audience: audience.to_owned(),
        clients: vec![client],
    });
    issuer.unwrap().serve(listener)
}

/// A page that needs a person, and a form on it.
fn pages(_app: &Arc<App>) -> Routes {
    const ACCESS: Access = Access::Page(&[Scope::ResearchRun]);
    Routes::new()
        .get("/page", ACCESS, whoami)
        .post("/page", ACCESS, save)
}

async fn whoami(call: Call) -> Result<Response, Problem> {
    let session = call.session().map(nova_runtime::Session::csrf_token);
    let body = serde_json::json!({
        "user": call.user()?.as_str(),
        "scopes": call.identity()?.scopes.to_string(),
        "csrf": session,
    });
    Ok(json(StatusCode::OK, &body))
}

async fn save(mut call: Call) -> Result<Response, Problem> {
    call.form(1_000).await?;
    Ok(json(StatusCode::OK, &"saved"))
}

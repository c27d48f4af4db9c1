//! A small internet: names with addresses, and one server behind all of them.
//!
//! The client resolves, checks and connects as ever. Only the last step differs: what it connects
//! to by a public address is a listener of this process, and it is written down which it was.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use nova_runtime::{
    clock::SystemClock,
    config::FetchConfig,
    fetch::{
        Body, Document, FetchError, FetchRequest, Fetched, Fetcher, Initiative, Network, Politeness,
    },
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// The names that the server has a certificate for.
const NAMES: [&str; 5] = [
    "a.test",
    "b.test",
    "ok.test",
    "example.com",
    "93.184.216.34",
];
/// What every name resolves to, unless something else is said.
pub(crate) const PUBLIC: &str = "93.184.216.34";

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) is_tls: bool,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// What a server does, one after the other; then it closes the connection.
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// The same bytes so many times.
    Repeat(Vec<u8>, usize),
}

pub(crate) type Reply = Vec<Step>;
type Site = dyn Fn(&Seen) -> Reply + Send + Sync;

/// What a name resolves to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Addresses(Vec<IpAddr>),
    Never,
}

#[derive(Debug)]
pub(crate) struct Internet {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    pub(crate) connected: Mutex<Vec<SocketAddr>>,
    pub(crate) resolved: Mutex<Vec<String>>,
    pub(crate) plain: SocketAddr,
    tls: SocketAddr,
    certificate: CertificateDer<'static>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Network for Internet {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.resolved.lock().unwrap().push(name.to_owned());
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            match answers.get_mut(name) {
                None => Answer::Addresses(vec![PUBLIC.parse().unwrap()]),
                Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
                Some(answers) => answers.front().cloned().unwrap(),
            }
        };
        Box::pin(async move {
            match answer {
                Answer::Addresses(addresses) => Ok(addresses),
                Answer::Never => std::future::pending().await,
            }
        })
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.connected.lock().unwrap().push(address);
        let listener = match address.port() {
            443 | 8443 => self.tls,
            _ => self.plain,
        };
        Box::pin(TcpStream::connect(listener))
    }
}

impl Internet {
    /// An internet where everybody answers as `site` says.
    pub(crate) async fn new(site: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        let names = NAMES.map(str::to_owned).to_vec();
        let signed = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = signed.cert.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let site: Arc<Site> = Arc::new(site);
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        Arc::new(Self {
            answers: Mutex::default(),
            connected: Mutex::default(),
            resolved: Mutex::default(),
            plain: serve(Arc::clone(&site), None, Arc::clone(&seen)).await,
            tls: serve(site, Some(acceptor), Arc::clone(&seen)).await,
            certificate,
            seen,
        })
    }

    /// Makes a name resolve to these, one answer after the other; the last one stays.
    pub(crate) fn answer(&self, name: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().collect();
        self.answers
            .lock()
            .unwrap()
            .insert(name.to_owned(), answers);
    }

    /// A client that trusts the server and does not wait for its turn.
    pub(crate) fn fetcher(self: &Arc<Self>) -> Fetcher {
        let politeness = Politeness {
            at_once: 16,
            pause: Duration::ZERO,
            patience: Duration::from_secs(5),
        };
        self.polite_fetcher(politeness)
    }

    pub(crate) fn polite_fetcher(self: &Arc<Self>, politeness: Politeness) -> Fetcher {
        let network: Arc<dyn Network> = Arc::<Self>::clone(self);
        let config = FetchConfig::default();
        let trusted = [self.certificate.clone()];
        Fetcher::over(network, &config, politeness, &trusted, SystemClock)
    }

    /// As [`Internet::fetcher`], with settings of its own and only Mozilla's roots.
    pub(crate) fn fetcher_with(self: &Arc<Self>, config: &FetchConfig) -> Fetcher {
        let network: Arc<dyn Network> = Arc::<Self>::clone(self);
        Fetcher::over(network, config, Politeness::default(), &[], SystemClock)
    }

    /// Fetches a page that a person asked for.
    pub(crate) async fn get(self: &Arc<Self>, url: &str) -> Result<Document, FetchError> {
        let request = FetchRequest::new(url, Initiative::User);
        document(self.fetcher().fetch(&request).await)
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|it| it.path().to_owned()).collect()
    }
}

/// The document of an outcome that is one.
pub(crate) fn document(outcome: Result<Fetched, FetchError>) -> Result<Document, FetchError> {
    match outcome? {
        Fetched::Document(document) => Ok(*document),
        Fetched::NotModified => panic!("not modified"),
    }
}

/// Reads a body without keeping it.
pub(crate) async fn drain(mut body: Body) -> Result<u64, FetchError> {
    let mut length = 0;
    while let Some(piece) = body.chunk().await? {
        length += piece.len() as u64;
    }
    Ok(length)
}

async fn serve(
    site: Arc<Site>,
    tls: Option<TlsAcceptor>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (site, tls, seen) = (Arc::clone(&site), tls.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let _gone = match tls {
                    None => converse(stream, &*site, false, &seen).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => converse(stream, &*site, true, &seen).await,
                        Err(error) => Err(error),
                    },
                };
            });
        }
    });
    address
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    site: &Site,
    is_tls: bool,
    seen: &Mutex<Vec<Seen>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let request = Seen { head, is_tls };
    let reply = site(&request);
    seen.lock().unwrap().push(request);
    for step in reply {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Wait(duration) => tokio::time::sleep(duration).await,
            Step::Repeat(bytes, times) => {
                for _ in 0..times {
                    stream.write_all(&bytes).await?;
                }
            }
        }
        stream.flush().await?;
    }
    stream.shutdown().await
}

/// An answer with a body.
pub(crate) fn page(headers: &str, body: &[u8]) -> Reply {
    status("200 OK", headers, body)
}

pub(crate) fn status(status: &str, headers: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
    vec![Step::Send([head.as_bytes(), body].concat())]
}

/// An answer that leads elsewhere.
pub(crate) fn redirect(location: &str) -> Reply {
    status("302 Found", &format!("location: {location}\r\n"), b"gone")
}

/// The beginning of an answer that ends with the connection.
pub(crate) fn open_page(headers: &str) -> Step {
    Step::Send(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes())
}

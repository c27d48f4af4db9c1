//! The agents' endpoint beside a trivial server of fastmcp: start, memory, processor time of a call.
//!
//! Both check the token of each request against the same issuer, whose keys they fetch when the
//! first request comes. Ours answers the call of `get_article` with an id that is none, so that the
//! whole way is gone, but for the database; theirs adds two numbers.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use nova_testkit::{ReservedPort, issuer::Issuer};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    binaries::resident_mib,
    report::{median, say, shipped, target, write},
};

const VERSION: &str = "2026-07-28";
/// Starts of ours, and of theirs, which takes a second or two each.
const STARTS: [usize; 2] = [21, 5];
/// Calls whose processor time is measured.
const CALLS: [u32; 2] = [5000, 500];
const START_DEADLINE: Duration = Duration::from_mins(1);

/// What issue the targets come from: 10 ms, 20 MiB, 250 µs.
#[derive(Serialize)]
struct Figures {
    server: &'static str,
    /// From exec to the end of the answer to the first `tools/list`.
    first_list_ms: f64,
    /// Resident, after that.
    started_mib: f64,
    /// Resident, after all calls.
    used_mib: f64,
    /// Of the processor, for each `tools/call`.
    call_cpu_us: f64,
}

pub(crate) async fn measure() -> Result<()> {
    let issuer = Issuer::start().await?;
    let ours = Server {
        name: "nova",
        program: shipped("mcp")?,
        arguments: Vec::new(),
        call: json!({"name": "get_article", "arguments": {"article_guideline_id": "none"}}),
    };
    let python = target().join("tools/mcp-python-client/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/system/trivial.py");
    let theirs = Server {
        name: "fastmcp",
        program: python,
        arguments: vec![script.to_owned()],
        call: json!({"name": "add", "arguments": {"a": 1, "b": 2}}),
    };
    say("            first tools/list ms  MiB then  MiB later  CPU of a call µs");
    let mut all = vec![ours.figures(&issuer, STARTS[0], CALLS[0]).await?];
    if theirs.program.exists() {
        all.push(theirs.figures(&issuer, STARTS[1], CALLS[1]).await?);
    } else {
        say("fastmcp is not installed, and nothing is measured beside it: make mcp-python-client");
    }
    write("mcp", &all)
}

/// A program that speaks the protocol, and the call that costs it least.
struct Server {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    call: Value,
}

impl Server {
    async fn figures(&self, issuer: &Issuer, starts: usize, calls: u32) -> Result<Figures> {
        let (mut listed, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..starts {
            let mut running = self.start(issuer)?;
            listed.push(running.first_list().await?.as_secs_f64() * 1000.0);
            memory.push(resident_mib(running.child.id())?);
        }
        let mut running = self.start(issuer)?;
        running.first_list().await?;
        for _ in 0..calls / 5 {
            running.ask("tools/call", &self.call).await?;
        }
        let before = processor_time(running.child.id())?;
        for _ in 0..calls {
            running.ask("tools/call", &self.call).await?;
        }
        let used = processor_time(running.child.id())?.saturating_sub(before);
        let figures = Figures {
            server: self.name,
            first_list_ms: median(listed),
            started_mib: median(memory),
            used_mib: resident_mib(running.child.id())?,
            call_cpu_us: used.as_secs_f64() * 1e6 / f64::from(calls),
        };
        say(&format!(
            "{:<10} {:>20.1} {:>9.1} {:>10.1} {:>17.0}",
            figures.server,
            figures.first_list_ms,
            figures.started_mib,
            figures.used_mib,
            figures.call_cpu_us
        ));
        Ok(figures)
    }

    fn start(&self, issuer: &Issuer) -> Result<Running> {
        let port = ReservedPort::new()?;
        let url = format!("http://127.0.0.1:{}", port.number());
        let token = issuer.token(
            "alice",
            &["research:read", "research:run"],
            &url,
            Duration::from_hours(1),
        );
        let client = Client::builder(TokioExecutor::new()).build_http();
        let begun = Instant::now();
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PORT", port.number().to_string())
            .env("SERVER_URL", &url)
            .env("LOG_LEVEL", "error")
            .env("OIDC_ISSUER", issuer.url())
            // Nothing is connected before it is needed, so nothing has to be there.
            .env("DATABASE_URL", "postgres://nova@127.0.0.1:1/nova")
            .env("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
            .env("BLOB_BUCKET", "nova")
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        Ok(Running {
            child,
            begun,
            port,
            url,
            token,
            client,
        })
    }
}

/// One start of a server; it ends with this value.
struct Running {
    child: Child,
    begun: Instant,
    port: ReservedPort,
    url: String,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Running {
    /// How long it took until the tools were listed.
    async fn first_list(&mut self) -> Result<Duration> {
        while TcpStream::connect(("127.0.0.1", self.port.number())).is_err() {
            ensure!(self.child.try_wait()?.is_none(), "it ended");
            ensure!(self.begun.elapsed() < START_DEADLINE, "it does not listen");
            std::thread::yield_now();
        }
        let result = self.ask("tools/list", &json!({})).await?;
        let took = self.begun.elapsed();
        ensure!(result["tools"][0]["name"].is_string(), "no tools: {result}");
        Ok(took)
    }

    async fn ask(&self, method: &str, params: &Value) -> Result<Value> {
        let mut params = params.clone();
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut request = Request::post(format!("{}/mcp", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION)
            .header("mcp-method", method);
        if !name.is_empty() {
            request = request.header("mcp-name", name);
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self
            .client
            .request(request.body(message.to_string().into())?);
        let (parts, body) = answer.await?.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(
            parts.status == StatusCode::OK,
            "{}: {}",
            parts.status,
            String::from_utf8_lossy(&body)
        );
        let mut message: Value = serde_json::from_slice(&body)
            .with_context(|| String::from_utf8_lossy(&body).into_owned())?;
        Ok(message["result"].take())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What all threads of a process have had of the processor.
fn processor_time(id: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(Path::new("/proc").join(id.to_string()).join("task"))? {
        let told = fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = told.split_whitespace().next();
        nanoseconds += first
            .context("/proc/…/schedstat is empty")?
            .parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

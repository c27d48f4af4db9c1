//! One server with one data directory: made, started, stopped.
//!
//! ```text
//! <directory>/data        what initdb makes
//! <directory>/server.log  what the server says
//! <directory>/password    of the TCP port, where there is one
//! ```
//!
//! The directory belongs to the account that runs the server, which no other user but root can
//! enter: that is what protects the unix socket in it, where the server trusts everybody.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use futures_util::future::BoxFuture;

use super::account::Account;
use super::leash::{Leash, Orders};
use super::settings::{Settings, Stop};
use super::{Binaries, place, template};

/// How long a server may take to accept connections. Crash recovery of a durable one counts in.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// How long a server may take to end before it is told to drop everything.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How often a starting or stopping server is looked at.
const POLL: Duration = Duration::from_millis(5);
/// A server that keeps its data, or one that is thrown away with it.
///
/// It ends with this value, and with this process however that ends.
pub struct Cluster {
    binaries: Binaries,
    account: Account,
    directory: PathBuf,
    socket_directory: PathBuf,
    settings: Settings,
    /// Where a throw-away server's data is copied from; a durable one has none.
    template: Option<PathBuf>,
    /// Of the server that runs, or ran last.
    port: u16,
    leash: Option<Leash>,
}

impl Cluster {
    /// A server that keeps its data in `directory`, which is made when it is missing.
    ///
    /// Where the server's account cannot reach that directory (root's home, in a container) the
    /// data is kept elsewhere and `directory` becomes a link to it: see [`Cluster::directory`].
    ///
    /// # Errors
    ///
    /// No PostgreSQL, no directory, or data of another major version; each says what to do.
    pub fn durable(directory: &Path, settings: Settings) -> BoxFuture<'_, Result<Self>> {
        Box::pin(async move {
            let binaries = Binaries::find()?;
            let account = Account::choose()?;
            let directory = place::durable(directory, &account)?;
            let data = directory.join("data");
            if data.join("PG_VERSION").exists() {
                let made_by = fs::read_to_string(data.join("PG_VERSION"))?;
                ensure!(
                    made_by.trim() == binaries.major().to_string(),
                    "the data in {} is of PostgreSQL {}, the programs in {} are of {}: \
                 set PG_BIN to a PostgreSQL {} or remove the data",
                    directory.display(),
                    made_by.trim(),
                    binaries.directory().display(),
                    binaries.major(),
                    made_by.trim(),
                );
            } else {
                // Aside, then renamed: an initdb that was interrupted never counts.
                let unfinished = directory.join("data.unfinished");
                if unfinished.exists() {
                    fs::remove_dir_all(&unfinished)?;
                }
                template::initdb(&binaries, &account, &unfinished, &[]).await?;
                fs::rename(&unfinished, &data)?;
            }
            let socket_directory = place::socket_directory(&directory);
            Ok(Self {
                binaries,
                account,
                directory,
                socket_directory,
                settings,
                template: None,
                port: 0,
                leash: None,
            })
        })
    }

    /// A server that is gone, with its data, when this value or this process ends.
    ///
    /// It saves nothing to the disk in time (`fsync=off`): a crash of the machine loses it, a
    /// crash of the server does not.
    ///
    /// # Errors
    ///
    /// No PostgreSQL, or no directory that its account can write to.
    pub fn throw_away(settings: Settings) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let binaries = Binaries::find()?;
            let account = Account::choose()?;
            let parent = place::for_throw_away(&account)?;
            let template = Some(template::cached(&binaries, &account, &parent).await?);
            let directory = parent.join(format!("nova-{}", place::random_name()?));
            let socket_directory = directory.clone();
            Ok(Self {
                binaries,
                account,
                directory,
                socket_directory,
                settings,
                template,
                port: 0,
                leash: None,
            })
        })
    }

    /// Starts the server and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// With the end of the server's own log, when it does not.
    pub fn start(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            ensure!(
                !self.is_running(),
                "the server in {} runs already",
                self.directory.display()
            );
            self.port = self.settings.port((self.port > 0).then_some(self.port))?;
            let log = self.log();
            let written_before = fs::metadata(&log).map_or(0, |log| log.len());
            let data = self.directory.join("data");
            let new = self.hold(&data, &log)?;
            if let Some(old) = self.leash.replace(new) {
                old.release()?;
            }

            let deadline = Instant::now() + START_DEADLINE;
            let socket = self
                .socket_directory
                .join(format!(".s.PGSQL.{}", self.port));
            loop {
                if is_ready(&data, self.leash.as_ref().and_then(Leash::server_id))
                    && UnixStream::connect(&socket).is_ok()
                {
                    break;
                }
                let ended = !self.is_running();
                if ended || Instant::now() > deadline {
                    // Read first: a throw-away server's log goes with its leash.
                    let log = tail(&log, written_before);
                    self.leash = None;
                    bail!(
                        "PostgreSQL {} in {} (as {}); its log ends with:\n{}",
                        if ended {
                            "ended at once"
                        } else {
                            "was not ready in time"
                        },
                        self.directory.display(),
                        self.account.name(),
                        log,
                    );
                }
                tokio::time::sleep(POLL).await;
            }
            if self.settings.tcp_port.is_some() {
                self.set_password().await?;
            }
            Ok(())
        })
    }

    /// Stops the server and leaves its data, also that of a throw-away one: [`Cluster::start`]
    /// goes on with it.
    ///
    /// # Errors
    ///
    /// When it does not end, not even after it was told to drop everything.
    pub fn stop(&mut self, how: Stop) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let Some(leash) = &mut self.leash else {
                return Ok(());
            };
            for signal in [how.signal(), Stop::Immediate.signal()] {
                if leash.has_ended() {
                    break;
                }
                leash.signal(signal)?;
                let deadline = Instant::now() + STOP_DEADLINE;
                while !leash.has_ended() && Instant::now() < deadline {
                    tokio::time::sleep(POLL).await;
                }
            }
            ensure!(
                leash.has_ended(),
                "PostgreSQL in {} does not end",
                self.directory.display()
            );
            Ok(())
        })
    }

    /// Whether the server runs.
    pub fn is_running(&self) -> bool {
        self.leash.as_ref().is_some_and(|leash| !leash.has_ended())
    }

    /// The address of a database for a user, through the unix socket, as sqlx and libpq take it.
    pub fn url(&self, user: &str, database: &str) -> String {
        super::database::Address {
            directory: self.socket_directory.clone(),
            port: self.port,
        }
        .url(user, database)
    }

    /// The superuser's address of a database through TCP, password included, where there is a port.
    pub fn tcp_url(&self, database: &str) -> Option<String> {
        self.settings.tcp_port?;
        let password = fs::read_to_string(self.directory.join("password")).ok()?;
        Some(format!(
            "postgres://postgres:{password}@127.0.0.1:{}/{database}",
            self.port
        ))
    }

    /// Where the unix socket is: `.s.PGSQL.<port>` in this directory.
    pub fn socket_directory(&self) -> &Path {
        &self.socket_directory
    }

    /// The port of TCP, and in the name of the unix socket; 0 before the first start.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the data and the log really are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file with the server's messages.
    pub fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// The programs that belong to this server.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Starts the server's processes, tied to this one.
    fn hold(&self, data: &Path, log: &Path) -> Result<Leash> {
        let own_sockets = self.socket_directory != self.directory;
        if own_sockets {
            place::make_socket_directory(&self.socket_directory, &self.account)?;
        }
        let throw_away = self.template.is_some();
        // A throw-away server's directory is made by its leash, so that it is never without one.
        let exists = if throw_away {
            self.directory.parent()
        } else {
            Some(self.directory.as_path())
        };
        let at_end = if throw_away {
            Stop::Immediate
        } else {
            Stop::Fast
        };
        let mut server = Command::new(self.binaries.path("postgres"));
        let arguments = self
            .settings
            .arguments(self.port, &self.socket_directory, throw_away);
        server.arg("-D").arg(data).args(arguments);
        Leash::start(
            self.account
                .command("/bin/sh", exists.unwrap_or(Path::new("/"))),
            &Orders {
                at_end: at_end.signal(),
                remove: throw_away.then_some(self.directory.as_path()),
                sockets: own_sockets.then_some(self.socket_directory.as_path()),
                template: self.template.as_deref(),
                data,
                log,
            },
            &server,
        )
    }

    /// Gives the superuser the password that is kept beside the data, or a new one.
    async fn set_password(&self) -> Result<()> {
        let path = self.directory.join("password");
        if !path.exists() {
            place::write_secret(&path, &place::random_name()?, &self.account)?;
        }
        let password = fs::read_to_string(&path)?;
        ensure!(
            password.chars().all(|it| it.is_ascii_alphanumeric()),
            "odd characters in {}",
            path.display()
        );
        let url = self.url("postgres", "postgres");
        super::database::execute(&url, format!("ALTER ROLE postgres PASSWORD '{password}'")).await
    }
}

/// Whether the lock file says that the server with this process id accepts connections.
fn is_ready(data: &Path, server_id: Option<u32>) -> bool {
    let Ok(lock) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = lock.lines().map(str::trim);
    lines.next().and_then(|id| id.parse().ok()) == server_id
        && server_id.is_some()
        && lines.nth(6) == Some("ready")
}

/// The last lines that were written to the log since it had this many bytes.
fn tail(log: &Path, written_before: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let new = text
        .get(usize::try_from(written_before).unwrap_or(0)..)
        .unwrap_or_default();
    let new = String::from_utf8_lossy(new);
    let lines: Vec<&str> = new.lines().rev().take(15).collect();
    if lines.is_empty() {
        return format!("(nothing was written to {})", log.display());
    }
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

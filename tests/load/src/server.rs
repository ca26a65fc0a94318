//! `trefoil serve metadata` as a process that can be killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::Failure;
use crate::backend::{Backend, PERMIT_KEY, SEALING_KEYS};
use crate::http::Connection;
use crate::load::Served;

/// Within which the server must say that it serves.
const PATIENCE: Duration = Duration::from_secs(60);
/// Open files that the server may have: one for each of 10,000 connections, and its own.
const OPEN_FILES: u32 = 20_000;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct ServerProcess {
    binary: PathBuf,
    /// Of its settings file: several servers share a store.
    name: String,
    address: SocketAddr,
    /// Not beside the data, whose disk may be full.
    log: NamedTempFile,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    // Kept open: a server that cannot write what it has to say would stumble.
    _said: BufReader<ChildStdout>,
}

impl ServerProcess {
    /// Starts this binary on a free loopback port and a store.
    ///
    /// # Errors
    /// Where it does not come up; its log says why.
    pub async fn start(binary: &Path, backend: &Backend) -> Result<Self, Failure> {
        let log = NamedTempFile::new()?;
        let name = log.path().file_name().unwrap_or_default();
        let mut server = Self {
            binary: binary.to_owned(),
            name: format!("{}.toml", name.to_string_lossy()),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            log,
            running: None,
        };
        server.restart(backend).await?;
        Ok(server)
    }

    /// Starts it again on the port that it had.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn restart(&mut self, backend: &Backend) -> Result<(), Failure> {
        self.kill().await?;
        let settings = backend.directory().join(&self.name);
        std::fs::write(&settings, backend.settings(&self.address.to_string()))?;
        if backend.is_shared() && !backend.key_file(PERMIT_KEY).exists() {
            self.prepare(backend, &settings).await?;
        }
        let log = std::fs::File::options().append(true).open(&self.log)?;
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
            .arg(OPEN_FILES.to_string())
            .arg(&self.binary)
            .args(["--json", "serve", "metadata", "--config"])
            .arg(&settings)
            .env("TREFOIL_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut said = BufReader::new(stdout);
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, said.read_line(&mut line))
            .await
            .map_err(|_| "the server says nothing")??;
        let first: Value = serde_json::from_str(&line).unwrap_or_default();
        let address = first.get("listen").and_then(Value::as_str);
        let Some(address) = address else {
            let log = self.log()?;
            let end: Vec<&str> = log.lines().rev().take(5).collect();
            return Err(format!("the server does not start: {line} {end:?}").into());
        };
        self.address = address.parse()?;
        self.running = Some(Running { child, _said: said });
        Ok(())
    }

    /// Keys and tables, as an operator makes them once for all servers of a database.
    async fn prepare(&self, backend: &Backend, settings: &Path) -> Result<(), Failure> {
        let made = [
            ("--new-permit-key", backend.key_file(PERMIT_KEY)),
            ("--new-sealing-keys", backend.key_file(SEALING_KEYS)),
        ];
        for (make, file) in made {
            let mut command = Command::new(&self.binary);
            command.args(["--json", "serve", "metadata", make]);
            finish(command.arg(file)).await?;
        }
        let mut migrate = Command::new(&self.binary);
        migrate.args(["--json", "serve", "metadata", "--migrate", "--config"]);
        finish(migrate.arg(settings)).await
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its public URL, which statements name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it says that it and its databases work.
    pub async fn is_ready(&self) -> bool {
        let asked = async {
            let mut connection = Connection::open(self.address).await?;
            let request = Request::get("/readyz").header(HOST, "load");
            let answer = connection.send(&request.body(Bytes::new())?).await?;
            answer.success().map(drop)
        };
        asked.await.is_ok()
    }

    /// What it has logged so far.
    ///
    /// # Errors
    /// Where the file is gone.
    pub fn log(&self) -> Result<String, Failure> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// `kill -9`. Harmless where it does not run.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut running) = self.running.take() {
            running.child.kill().await?;
        }
        Ok(())
    }

    /// Memory that it occupies, in bytes.
    ///
    /// # Errors
    /// Where it does not run, or the system has no `/proc`.
    pub fn resident(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: u64 = number.ok_or("no VmRSS in /proc")?.trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// Sockets that it holds open.
    ///
    /// # Errors
    /// Where it does not run, or the system has no `/proc`.
    pub fn sockets(&self) -> Result<usize, Failure> {
        let mut count = 0;
        for file in std::fs::read_dir(format!("/proc/{}/fd", self.id()?))? {
            // One may be closed meanwhile.
            let target = std::fs::read_link(file?.path()).unwrap_or_default();
            count += usize::from(target.to_string_lossy().starts_with("socket:"));
        }
        Ok(count)
    }

    fn id(&self) -> Result<u32, Failure> {
        let running = self.running.as_ref();
        let id = running.and_then(|running| running.child.id());
        id.ok_or_else(|| "the server does not run".into())
    }
}

impl Served for ServerProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processor_time(&self) -> Result<Duration, Failure> {
        processor_time(self.id()?)
    }
}

/// Processor time that a process has used so far. Fails where the system has no `/proc`.
pub(crate) fn processor_time(process: u32) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in brackets, may hold blanks; behind it user and system time are the 12th and 13th.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc")?;
    let ticks: Vec<u64> = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // A tick is 10 ms on every Linux that Rust supports.
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

async fn finish(command: &mut Command) -> Result<(), Failure> {
    let output = command.output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into())
}

//! Node.js, MariaDB and Redis, each a process of its own, which end with the comparison.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::Failure;
use crate::load::Served;
use crate::server::processor_time;

/// Within which each of them must answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Whom MariaDB runs as where the driver runs as root, which it refuses.
const DATABASE_USER: &str = "--user=mysql";

/// All of it, running.
pub(super) struct Processes {
    node: Child,
    database: Child,
    cache: Child,
    address: SocketAddr,
    // Removed last.
    _directory: TempDir,
}

impl Processes {
    /// Starts it on a fresh store below `parent`.
    pub(super) async fn start(folder: &Path, parent: Option<&Path>) -> Result<Self, Failure> {
        let directory = match parent {
            Some(parent) => TempDir::new_in(parent)?,
            None => TempDir::new()?,
        };
        let (database, database_socket) = start_database(directory.path()).await?;
        let (cache, cache_socket) = start_cache(directory.path())?;
        let (node, address) = start_node(folder, &database_socket, &cache_socket).await?;
        Ok(Self {
            node,
            database,
            cache,
            address,
            _directory: directory,
        })
    }
}

impl Served for Processes {
    fn address(&self) -> SocketAddr {
        self.address
    }

    /// Of Node.js with its workers, MariaDB and Redis together.
    fn processor_time(&self) -> Result<Duration, Failure> {
        let node = id(&self.node)?;
        let workers = fs::read_to_string(format!("/proc/{node}/task/{node}/children"))?;
        let workers: Vec<u32> = workers
            .split_ascii_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let others = [node, id(&self.database)?, id(&self.cache)?];
        let all = workers.into_iter().chain(others);
        all.map(processor_time).sum()
    }
}

fn id(process: &Child) -> Result<u32, Failure> {
    process.id().ok_or_else(|| "the incumbent ended".into())
}

/// Durable: a commit is flushed before it is acknowledged.
async fn start_database(directory: &Path) -> Result<(Child, PathBuf), Failure> {
    // Nobody else enters it: whoever reaches the socket is the database's root.
    let data = directory.join("mariadb");
    let socket = data.join("socket");
    let datadir = option("--datadir=", &data);
    let as_root = fs::metadata(directory)?.uid() == 0;
    let user: &[&str] = if as_root { &[DATABASE_USER] } else { &[] };
    fs::create_dir(&data)?;
    fs::set_permissions(&data, Permissions::from_mode(0o700))?;
    if as_root {
        finish(program("chown").arg("mysql").arg(&data)).await?;
        // The database's user passes through it.
        fs::set_permissions(directory, Permissions::from_mode(0o711))?;
    }
    let mut install = program("mariadb-install-db");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
    finish(install.args(["--skip-test-db"]).arg(&datadir).args(user)).await?;
    let mut server = program("mariadbd");
    server
        .args(["--no-defaults", "--skip-networking"])
        .args(user);
    server.args([
        "--innodb-flush-log-at-trx-commit=1",
        "--max-allowed-packet=64M",
    ]);
    let child = server
        .arg(datadir)
        .arg(option("--socket=", &socket))
        .spawn()
        .map_err(|error| missing("mariadbd", &error))?;
    let begun = Instant::now();
    loop {
        let mut client = program("mariadb");
        client.args(["--no-defaults", "--user=root"]);
        client.arg(option("--socket=", &socket));
        match finish(client.args(["--execute", "CREATE DATABASE metadata"])).await {
            Ok(()) => return Ok((child, socket)),
            Err(failure) if begun.elapsed() > PATIENCE => return Err(failure),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A cache and nothing more: it writes no files.
fn start_cache(directory: &Path) -> Result<(Child, PathBuf), Failure> {
    let directory = directory.join("redis");
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
    let socket = directory.join("socket");
    let child = program("redis-server")
        .args(["--port", "0", "--unixsocket"])
        .arg(&socket)
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(directory)
        .spawn()
        .map_err(|error| missing("redis-server", &error))?;
    Ok((child, socket))
}

async fn start_node(
    folder: &Path,
    database: &Path,
    cache: &Path,
) -> Result<(Child, SocketAddr), Failure> {
    let mut child = program("node")
        .arg(folder.join("server.js"))
        .env("NODE_ENV", "production")
        .env("DATABASE_SOCKET", database)
        .env("CACHE_SOCKET", cache)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| missing("node", &error))?;
    let stdout = child.stdout.take().ok_or("node has no output")?;
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line))
        .await
        .map_err(|_| "the incumbent says nothing")??;
    let said: Value = serde_json::from_str(&line).map_err(|_| "the incumbent does not start")?;
    let port = said.get("port").and_then(Value::as_u64);
    let port = u16::try_from(port.ok_or("no port")?)?;
    Ok((child, SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
}

fn option(name: &str, value: &Path) -> std::ffi::OsString {
    let mut option = OsStr::new(name).to_owned();
    option.push(value);
    option
}

/// Killed when dropped, and silent. Debian keeps servers where only root looks for them.
fn program(name: &str) -> Command {
    let server = Path::new("/usr/sbin").join(name);
    let mut command = if server.is_file() {
        Command::new(server)
    } else {
        Command::new(name)
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn finish(command: &mut Command) -> Result<(), Failure> {
    let name = command.as_std().get_program().to_owned();
    let name = name.to_string_lossy();
    let output = command
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| missing(&name, &error))?
        .wait_with_output()
        .await?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

fn missing(name: &str, error: &std::io::Error) -> Failure {
    format!("{name} does not start: {error}; `cargo xtask load --incumbent` installs it on Debian")
        .into()
}

//! PostgreSQL clusters for tests, from the programs that are installed: each in a directory of its own, on a port of its own.
//!
//! PostgreSQL refuses to run as root; there it runs as the system's user `postgres`, or `nobody`.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Names the folder of PostgreSQL's programs where they are not found by themselves.
pub const PROGRAMS_VARIABLE: &str = "TREFOIL_POSTGRES_BIN";

const ROLE: &str = "trefoil";
const STANDBY: &str = "standby";
const START_LIMIT: Duration = Duration::from_secs(60);

/// Whether commits survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Durable,
    /// Commits survive the death of all processes, not that of the machine; for tests that stop nothing.
    Fast,
}

/// A running cluster, which ends and is removed when dropped.
#[derive(Debug)]
pub struct PostgresCluster {
    programs: Programs,
    directory: TempDir,
    port: u16,
    server: Option<Child>,
}

#[derive(Debug, Clone)]
struct Programs {
    folder: PathBuf,
    /// User and group to run as, where the tests run as root.
    run_as: Option<(u32, u32)>,
}

impl PostgresCluster {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// Where PostgreSQL is not installed, which the text says, or does not start.
    pub fn start(durability: Durability) -> io::Result<Self> {
        Self::start_in(&std::env::temp_dir(), durability)
    }

    /// Makes a cluster whose files lie in a new directory in this one, and starts it. Whoever PostgreSQL runs as must be able to
    /// reach it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in(parent: &Path, durability: Durability) -> io::Result<Self> {
        let programs = Programs::find()?;
        let directory = programs.directory(parent)?;
        let data = data(&directory);
        programs.run(
            "initdb",
            &[
                "--no-sync",
                "--auth=trust",
                "--no-locale",
                "--encoding=UTF8",
            ],
            &[("--username", ROLE), ("--pgdata", &data)],
        )?;
        let mut settings = String::from(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n\
             shared_buffers = 64MB\nmax_wal_size = 2GB\nlog_min_messages = warning\n",
        );
        if durability == Durability::Fast {
            settings += "fsync = off\nfull_page_writes = off\n";
        }
        append(&directory.path().join("data/postgresql.conf"), &settings)?;
        let mut cluster = Self {
            programs,
            directory,
            port: free_port()?,
            server: None,
        };
        cluster.restart()?;
        Ok(cluster)
    }

    /// A synchronous standby: from then on this cluster acknowledges a commit when both have flushed it.
    ///
    /// # Errors
    /// Where it cannot be made or does not start.
    pub fn standby(&self) -> io::Result<Self> {
        let programs = self.programs.clone();
        let directory = programs.directory(&std::env::temp_dir())?;
        let data = data(&directory);
        let source = format!(
            "host=127.0.0.1 port={} user={ROLE} application_name={STANDBY}",
            self.port
        );
        programs.run(
            "pg_basebackup",
            &[
                "--write-recovery-conf",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--no-sync",
            ],
            &[("--dbname", &source), ("--pgdata", &data)],
        )?;
        let mut standby = Self {
            programs,
            directory,
            port: free_port()?,
            server: None,
        };
        standby.restart()?;
        self.execute(
            "postgres",
            &format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"),
        )?;
        self.execute("postgres", "SELECT pg_reload_conf()")?;
        self.wait_for(
            "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'",
            "1",
        )?;
        Ok(standby)
    }

    /// Makes a standby the primary, whatever became of the other.
    ///
    /// # Errors
    /// Where it refuses.
    pub fn promote(&self) -> io::Result<()> {
        self.execute("postgres", "SELECT pg_promote()").map(drop)
    }

    /// Where a database of this cluster is reached.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where a database is reached at whichever of the two clusters takes writes.
    #[must_use]
    pub fn url_with(&self, other: &Self, database: &str) -> String {
        format!(
            "postgres://{ROLE}@127.0.0.1:{},127.0.0.1:{}/{database}?target_session_attrs=read-write",
            self.port, other.port
        )
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// Where there is one of this name, or the cluster does not answer.
    pub fn create_database(&self, name: &str) -> io::Result<String> {
        self.execute("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(name))
    }

    /// Runs SQL and gives what it answers, without headers or alignment.
    ///
    /// # Errors
    /// With what PostgreSQL says.
    pub fn execute(&self, database: &str, sql: &str) -> io::Result<String> {
        self.programs.run(
            "psql",
            &["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"],
            &[
                ("--set", "ON_ERROR_STOP=1"),
                ("--dbname", &self.url(database)),
                ("--command", sql),
            ],
        )
    }

    /// Kills every process at once, as `kill -9` does.
    ///
    /// # Errors
    /// Where there is none.
    pub fn kill(&mut self) -> io::Result<()> {
        let Some(mut server) = self.server.take() else {
            return Err(io::Error::other("the cluster does not run"));
        };
        let id = server.id();
        // Backends have sessions of their own, so no signal to a process group reaches them.
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Command::new("kill")
            .args(["-s", "KILL", &id.to_string()])
            .args(children.split_ascii_whitespace())
            .stderr(Stdio::null())
            .status()?;
        server.wait()?;
        // A backend that began meanwhile sees that the postmaster is gone and ends; until then it holds the shared memory.
        thread::sleep(Duration::from_millis(50));
        Ok(())
    }

    /// Starts the cluster (again) and waits until it answers.
    ///
    /// # Errors
    /// Where it does not, with the end of its log.
    pub fn restart(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let log = self.directory.path().join("log");
        loop {
            let mut server = self
                .programs
                .command("postgres")
                .arg("-D")
                .arg(data(&self.directory))
                .args(["-p", &self.port.to_string()])
                .stdin(Stdio::null())
                .stdout(File::options().create(true).append(true).open(&log)?)
                .stderr(File::options().create(true).append(true).open(&log)?)
                .spawn()?;
            while server.try_wait()?.is_none() && begun.elapsed() < START_LIMIT {
                let reached = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
                if reached && self.execute("postgres", "SELECT 1").is_ok() {
                    self.server = Some(server);
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(20));
            }
            let _ = server.kill();
            server.wait()?;
            // Somebody else may have taken the port, or a dying backend holds the shared memory.
            if begun.elapsed() > START_LIMIT {
                let log = fs::read_to_string(&log).unwrap_or_default();
                let end: Vec<&str> = log.lines().rev().take(10).collect();
                let message = format!("PostgreSQL does not start: {end:?}");
                return Err(io::Error::other(message));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Encrypts connections for those who ask for it, with this certificate and key (PEM).
    ///
    /// # Errors
    /// Where the cluster does not take them.
    pub fn use_tls(&self, certificate: &str, key: &str) -> io::Result<()> {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.directory.path().join("data").join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if let Some((user, group)) = self.programs.run_as {
                std::os::unix::fs::chown(&path, Some(user), Some(group))?;
            }
        }
        self.execute("postgres", "ALTER SYSTEM SET ssl = on")?;
        self.execute("postgres", "SELECT pg_reload_conf()")?;
        self.wait_for("SHOW ssl", "on")
    }

    /// Waits until a cluster that met a fault answers again; where it ended by itself, starts it. Gives whether it had.
    ///
    /// # Errors
    /// As [`Self::restart`].
    pub fn revive(&mut self) -> io::Result<bool> {
        let begun = Instant::now();
        while let Some(server) = &mut self.server
            && server.try_wait()?.is_none()
        {
            if self.execute("postgres", "SELECT 1").is_ok() {
                return Ok(false);
            }
            if begun.elapsed() > START_LIMIT {
                return Err(io::Error::other("PostgreSQL runs and does not answer"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.restart()?;
        Ok(true)
    }

    fn wait_for(&self, sql: &str, answer: &str) -> io::Result<()> {
        let begun = Instant::now();
        while self.execute("postgres", sql)?.trim() != answer {
            if begun.elapsed() > START_LIMIT {
                return Err(io::Error::other(format!("never true: {sql}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        // Nothing of it is wanted any more.
        let _ = self.kill();
    }
}

impl Programs {
    fn find() -> io::Result<Self> {
        let folder = candidates()
            .into_iter()
            .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
            .ok_or_else(|| {
                let message = format!(
                    "PostgreSQL's programs were not found: install the server (Debian: apt-get install postgresql; Fedora: \
                     dnf install postgresql-server; macOS: brew install postgresql), or name their folder in \
                     {PROGRAMS_VARIABLE}"
                );
                io::Error::new(io::ErrorKind::NotFound, message)
            })?;
        let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        Ok(Self {
            folder,
            run_as: root.then(unprivileged),
        })
    }

    /// An empty directory of whoever the programs run as.
    fn directory(&self, parent: &Path) -> io::Result<TempDir> {
        let directory = tempfile::Builder::new()
            .prefix("trefoil-pg")
            .tempdir_in(parent)?;
        if let Some((user, group)) = self.run_as {
            std::os::unix::fs::chown(directory.path(), Some(user), Some(group))?;
        }
        Ok(directory)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        command.current_dir("/");
        command
    }

    fn run(&self, program: &str, flags: &[&str], options: &[(&str, &str)]) -> io::Result<String> {
        let mut command = self.command(program);
        command.args(flags);
        for (name, value) in options {
            command.arg(name).arg(value);
        }
        let output = command.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io::Error::other(format!("{program}: {}", said.trim())))
    }
}

/// Folders in which the programs may be, the newest version first.
fn candidates() -> Vec<PathBuf> {
    let named = std::env::var_os(PROGRAMS_VARIABLE).map(PathBuf::from);
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    debian.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    named.into_iter().chain(debian).chain(path).collect()
}

fn version(folder: &Path) -> u32 {
    let name = folder.parent().and_then(Path::file_name);
    name.and_then(|name| name.to_str()?.parse().ok())
        .unwrap_or_default()
}

/// The user `postgres`, or else `nobody`.
fn unprivileged() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let mut fields = users
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
            .split(':')
            .skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .unwrap_or((65534, 65534))
}

fn data(directory: &TempDir) -> String {
    directory.path().join("data").display().to_string()
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut settings = fs::read_to_string(path)?;
    settings.push_str(text);
    fs::write(path, settings)
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_survives_a_kill() {
        let mut cluster = PostgresCluster::start(Durability::Durable).unwrap();
        cluster.create_database("here").unwrap();
        cluster.execute("here", "CREATE TABLE t (n INT)").unwrap();
        cluster.execute("here", "INSERT INTO t VALUES (7)").unwrap();
        cluster.kill().unwrap();
        assert!(cluster.execute("here", "SELECT n FROM t").is_err());
        cluster.restart().unwrap();
        assert_eq!(cluster.execute("here", "SELECT n FROM t").unwrap(), "7\n");
    }

    #[test]
    fn a_cluster_lies_where_it_is_told_to_and_is_started_again_only_where_it_ended() {
        let place = TempDir::new().unwrap();
        // Whoever PostgreSQL runs as passes through.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(place.path(), open).unwrap();
        let mut cluster = PostgresCluster::start_in(place.path(), Durability::Fast).unwrap();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert!(!cluster.revive().unwrap());
        let server = cluster.server.as_ref().unwrap().id().to_string();
        let ended = Command::new("kill").args(["-s", "QUIT", &server]).status();
        assert!(ended.unwrap().success());
        cluster.server.as_mut().unwrap().wait().unwrap();
        assert!(cluster.revive().unwrap());
        assert_eq!(cluster.execute("postgres", "SELECT 7").unwrap(), "7\n");
    }

    #[test]
    fn a_promoted_standby_has_everything() {
        let mut primary = PostgresCluster::start(Durability::Durable).unwrap();
        let standby = primary.standby().unwrap();
        primary.create_database("here").unwrap();
        primary
            .execute("here", "CREATE TABLE t AS SELECT 7 AS n")
            .unwrap();
        primary.kill().unwrap();
        standby.promote().unwrap();
        assert_eq!(standby.execute("here", "SELECT n FROM t").unwrap(), "7\n");
        standby.execute("here", "INSERT INTO t VALUES (8)").unwrap();
    }
}

//! A data directory on a small file system of its own that gets full, or that the kernel makes read-only after an error. The
//! server stays up, acknowledges nothing that is not kept, and goes on reading.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};
use trefoil_client::metadata::{CreateError, ErrorKind};
use trefoil_client::{Environment, HttpTransport, MetadataClient, RetryPolicy, Session};
use trefoil_load::backend::{Backend, Kind};
use trefoil_load::server::ServerProcess;
use trefoil_load::{fresh_rng, now, tenant};
use trefoil_protocol::change::{Change, create};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::opening::OpenAccount;

use super::server;

/// A small ext4 file system in a file, unmounted when dropped.
struct SmallDisk {
    // Dropped before the image that it lies in.
    mounted: TempDir,
    image: NamedTempFile,
}

impl SmallDisk {
    /// Of so many megabytes. None where mounting is not allowed, which it says.
    fn mount(megabytes: u64) -> Option<Self> {
        let image = NamedTempFile::new().unwrap();
        image.as_file().set_len(megabytes << 20).unwrap();
        let disk = Self {
            mounted: TempDir::new().unwrap(),
            image,
        };
        let made = run(
            "mke2fs",
            &["-q", "-F", "-m", "0", "-O", "^has_journal", disk.file()],
        );
        if !made || !disk.mount_again() {
            eprintln!(
                "SKIPPED: a file system of the test's own needs mke2fs, root and loop devices"
            );
            return None;
        }
        Some(disk)
    }

    fn mount_again(&self) -> bool {
        let options = "loop,errors=remount-ro";
        run("mount", &["-o", options, self.file(), self.folder()])
    }

    fn file(&self) -> &str {
        self.image.path().to_str().unwrap()
    }

    fn folder(&self) -> &str {
        self.path().to_str().unwrap()
    }

    fn path(&self) -> &Path {
        self.mounted.path()
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut filler = File::create(self.path().join("filler")).unwrap();
        for size in [1 << 20, 1024] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }

    /// As the kernel does by itself when it finds the file system damaged. False where it offers no such thing.
    fn fail(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut lines = mounts.lines().map(|line| line.split(' '));
        let device = lines.find_map(|mut fields| {
            let device = fields.next()?;
            (fields.next()? == self.folder()).then(|| device.trim_start_matches("/dev/"))
        });
        let switch = format!("/sys/fs/ext4/{}/trigger_fs_error", device.unwrap());
        std::fs::write(switch, "1").is_ok()
    }

    /// As an operator does, while the server does not run.
    fn repair(&self) {
        assert!(run("umount", &[self.folder()]));
        run("e2fsck", &["-f", "-y", self.file()]);
        assert!(self.mount_again());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still be ending.
        run("umount", &["-l", self.folder()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// An account as its owner holds it.
struct Owner {
    client: MetadataClient,
    factor: FactorKeys,
    account: OpenAccount,
    session: Session,
}

async fn try_create(client: &MetadataClient) -> Result<Owner, CreateError> {
    let (tenant, mut rng) = (tenant().unwrap(), fresh_rng());
    let factor = FactorKeys::derive(&tenant, &FactorSecret::random(&mut rng));
    let label = "a social login".to_owned();
    let prepared = create(
        &tenant,
        factor.clone(),
        label,
        [].into(),
        None,
        now(),
        &mut rng,
    )
    .unwrap();
    let created = client
        .create(
            factor.auth(),
            prepared.record(),
            &prepared.envelopes,
            prepared.sealed_nonce.as_ref(),
        )
        .await?;
    Ok(Owner {
        client: client.clone(),
        factor,
        session: Session::of(&created),
        account: prepared.account,
    })
}

impl Owner {
    /// Gives the account another label; whether that was acknowledged.
    async fn rename(&mut self, label: String) -> Result<(), ErrorKind> {
        let change = Change {
            labels: [(1, label)].into(),
            ..Change::default()
        };
        let prepared = self
            .account
            .prepare(&change, now(), &mut fresh_rng())
            .unwrap();
        let (replaced, request) = (self.account.record().revision, prepared.commit_request());
        self.client
            .commit(&self.session, replaced, prepared.record(), &request)
            .await
            .map_err(|error| error.kind())?;
        self.account = prepared.account;
        Ok(())
    }

    async fn read(&self) -> (u64, Vec<u8>) {
        let answer = self.client.read(&self.session).await.unwrap();
        let record = answer.record.verify(&tenant().unwrap()).unwrap();
        (record.revision, answer.record.payload.as_bytes().to_vec())
    }

    /// The server has exactly what it acknowledged.
    async fn check(&self) {
        let record = self.account.record();
        let (revision, payload) = self.read().await;
        assert_eq!(revision, record.revision);
        assert_eq!(payload, record.signed().payload.as_bytes());
    }

    async fn log_in(&mut self) -> Result<(), ErrorKind> {
        let answer = self.client.login(&[self.factor.auth()]).await;
        self.session = Session::of(&answer.map_err(|error| error.kind())?);
        Ok(())
    }
}

fn client(server: &ServerProcess) -> MetadataClient {
    let transport = Arc::new(HttpTransport::new().unwrap());
    let url = server.url();
    MetadataClient::new(transport, &url, tenant().unwrap(), Environment::system())
        .unwrap()
        .with_retry(RetryPolicy::once(Duration::from_secs(20)))
}

/// Writes until one is refused for lack of space.
async fn write_until_refused(owner: &mut Owner) -> ErrorKind {
    for number in 0..20_000 {
        if let Err(kind) = owner.rename(format!("label {number}")).await {
            return kind;
        }
    }
    panic!("the disk never gets full");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_takes_them_again_without_a_restart() {
    let Some(disk) = SmallDisk::mount(24) else {
        return;
    };
    let backend = Backend::fresh(Kind::Sqlite, Some(disk.path())).unwrap();
    let server = ServerProcess::start(&server(), &backend).await.unwrap();
    let client = client(&server);
    let mut owner = try_create(&client).await.unwrap();

    disk.fill();
    let kind = write_until_refused(&mut owner).await;
    assert!(matches!(kind, ErrorKind::Busy { .. }), "{kind:?}");
    owner.check().await;
    let refused = try_create(&client).await.err().unwrap();
    assert!(
        matches!(refused.kind(), ErrorKind::Busy { .. }),
        "{refused}"
    );
    owner.check().await;

    disk.free();
    owner.rename("space again".to_owned()).await.unwrap();
    owner.check().await;
    owner.log_in().await.unwrap();
    try_create(&client).await.unwrap().check().await;
    drop((server, backend));
}

/// PostgreSQL refuses to grow its tables, or stops altogether where it cannot write its log.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_postgres_refuses_writes_and_takes_them_again_without_a_restart_of_the_server()
 {
    let Some(disk) = SmallDisk::mount(256) else {
        return;
    };
    let mut backend = Backend::fresh(Kind::Postgres, Some(disk.path())).unwrap();
    let server = ServerProcess::start(&server(), &backend).await.unwrap();
    let client = client(&server);
    let mut owner = try_create(&client).await.unwrap();

    disk.fill();
    let kind = write_until_refused(&mut owner).await;
    assert!(is_unavailable(kind), "{kind:?}");
    owner.check().await;
    disk.free();
    owner.rename("space again".to_owned()).await.unwrap();
    owner.check().await;

    // Its log needs a new file, for which there is no space.
    disk.fill();
    backend.execute("SELECT pg_switch_wal()").unwrap();
    let kind = write_until_refused(&mut owner).await;
    assert!(is_unavailable(kind), "{kind:?}");
    let refused = try_create(&client).await.err().unwrap();
    assert!(is_unavailable(refused.kind()), "{refused}");

    disk.free();
    backend.revive_database().unwrap();
    until_answered(&owner).await;
    owner.check().await;
    owner.rename("writable again".to_owned()).await.unwrap();
    owner.log_in().await.unwrap();
    owner.check().await;
    try_create(&client).await.unwrap().check().await;
    drop((server, backend));
}

fn is_unavailable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Busy { .. })
}

/// Connections that died with PostgreSQL are replaced as they are met.
async fn until_answered(owner: &Owner) {
    for _ in 0..100 {
        if owner.client.read(&owner.session).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server does not reach PostgreSQL again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_became_read_only_refuses_writes_and_has_everything_once_repaired() {
    let Some(disk) = SmallDisk::mount(24) else {
        return;
    };
    let backend = Backend::fresh(Kind::Sqlite, Some(disk.path())).unwrap();
    let mut server = ServerProcess::start(&server(), &backend).await.unwrap();
    let client = client(&server);
    let mut owner = try_create(&client).await.unwrap();
    owner.rename("kept".to_owned()).await.unwrap();

    if !disk.fail() {
        eprintln!("SKIPPED: this kernel offers no way to report an error of a file system");
        return;
    }
    let kind = write_until_refused(&mut owner).await;
    assert!(matches!(kind, ErrorKind::Busy { .. }), "{kind:?}");
    owner.check().await;
    let refused = try_create(&client).await.err().unwrap();
    assert!(
        matches!(refused.kind(), ErrorKind::Busy { .. }),
        "{refused}"
    );

    server.kill().await.unwrap();
    disk.repair();
    server.restart(&backend).await.unwrap();
    owner.check().await;
    owner.rename("writable again".to_owned()).await.unwrap();
    owner.log_in().await.unwrap();
    owner.check().await;
    drop((server, backend));
}

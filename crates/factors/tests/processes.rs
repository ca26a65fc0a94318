//! Several real processes on one device file, killed at any moment: what one of them was told is stored, is stored.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use trefoil_factors::device::{
    DeviceSecret, DeviceStore as _, DeviceStoreExt as _, FileDeviceStore,
};
use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::tenant::Tenant;

const DIRECTORY: &str = "TREFOIL_TEST_DEVICE_DIRECTORY";
const FIRST: &str = "TREFOIL_TEST_FIRST_NUMBER";

fn secret(number: u64) -> DeviceSecret {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    let tenant = Tenant::new("acme").unwrap();
    DeviceSecret::pending(
        tenant,
        AccountId::from_bytes([1; 16]),
        FactorSecret::from_bytes(bytes),
        number,
        0,
    )
}

/// Not a test of its own: the body of the processes that the test below starts and kills.
#[test]
fn child() {
    let (Ok(directory), Ok(first)) = (std::env::var(DIRECTORY), std::env::var(FIRST)) else {
        return;
    };
    let store = FileDeviceStore::in_directory(Path::new(&directory));
    let first: u64 = first.parse().unwrap();
    // No more than fits into the file with all rounds together.
    for number in first..first + 60 {
        store
            .update(|state| state.insert_secret(secret(number)))
            .unwrap();
        // Acknowledged only now. A closed pipe means that the test is over.
        if writeln!(std::io::stdout(), "\nstored {number}").is_err() {
            return;
        }
    }
    std::thread::sleep(Duration::from_secs(60));
}

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stored: BTreeSet<u64>,
}

/// Starts a process and waits until it has stored something.
fn start(directory: &Path, first: u64) -> Running {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = lines
        .by_ref()
        .find_map(|line| acknowledged(&line.unwrap()))
        .unwrap();
    Running {
        child,
        lines,
        stored: BTreeSet::from([number]),
    }
}

impl Running {
    /// Kills the process without warning and returns what it had been told is stored.
    fn kill(mut self) -> BTreeSet<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.stored
            .extend(self.lines.filter_map(|line| acknowledged(&line.unwrap())));
        self.stored
    }
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("stored ")?.parse().ok()
}

#[test]
fn killed_processes_lose_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("wallet");
    let store = FileDeviceStore::in_directory(&place);
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        let running: Vec<Running> = (0..3)
            .map(|n| start(&place, round * 10_000 + n * 1000))
            .collect();
        // At a moment that differs from round to round.
        std::thread::sleep(Duration::from_micros(1700 * round));
        for process in running {
            acknowledged.extend(process.kill());
        }
        let state = store.read().unwrap();
        for number in &acknowledged {
            let found = state.secret(&secret(*number).locator()).unwrap();
            assert_eq!(found, &secret(*number));
            assert_eq!(
                found.pending_since(),
                Some(0),
                "a pending secret stays pending"
            );
        }
    }
    store.restore_previous().unwrap_err();
}

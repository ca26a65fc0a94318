//! What this machine can do at best, so that one sees what a figure is bound by.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use trefoil_protocol::sign::AuthPrivateKey;

use crate::Failure;

const MEASURED: Duration = Duration::from_millis(700);

/// Figures per second.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Signature checks on one core.
    pub verifications: f64,
    /// Writes of 4 KiB that are flushed to the disk, one after the other.
    pub flushes: f64,
    /// Static answers of the same server to the same client, over the same connections.
    pub answers: f64,
}

impl Bounds {
    /// All but the answers, for which there is no server yet.
    pub(super) fn of_machine(directory: &Path) -> Result<Self, Failure> {
        let (key, statement) = (AuthPrivateKey::from_seed(&[7; 32]), [7; 300]);
        let signature = key.sign("statement", &statement);
        let public = key.auth_key();
        let verifications = rate(|| {
            Ok(public
                .verify("statement", &statement, &signature)
                .map_err(|_| "a right signature is refused")?)
        })?;
        let path = directory.join("flushes");
        let mut file = File::create(&path)?;
        let flushes = rate(|| {
            file.rewind()?;
            file.write_all(&[1; 4096])?;
            Ok(file.sync_data()?)
        })?;
        std::fs::remove_file(path)?;
        Ok(Self {
            verifications,
            flushes,
            answers: 0.0,
        })
    }
}

fn rate(mut once: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < MEASURED {
        once()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

//! What each fuzz target checks, and the seeds it starts from.
//!
//! `check(data)` panics where an oracle is violated; `seeds()` gives the committed corpus. Both are ordinary code, so
//! that the seeds can be remade and tested without a fuzzer.

#![forbid(unsafe_code)]

pub mod envelope;
mod fixture;
pub mod phrase;
mod reader;
pub mod reconstruct;
pub mod record;
pub mod statement;

/// A file name and its bytes.
pub type Seed = (&'static str, Vec<u8>);

/// A fuzz target's name, what it checks, and its seeds.
pub struct Target {
    /// As in `fuzz_targets/` and `seeds/`.
    pub name: &'static str,
    /// Panics where something is wrong.
    pub check: fn(&[u8]),
    /// What to start from.
    pub seeds: fn() -> Vec<Seed>,
}

/// All targets.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "reconstruct",
        check: reconstruct::check,
        seeds: reconstruct::seeds,
    },
    Target {
        name: "record",
        check: record::check,
        seeds: record::seeds,
    },
    Target {
        name: "envelope",
        check: envelope::check,
        seeds: envelope::seeds,
    },
    Target {
        name: "phrase",
        check: phrase::check,
        seeds: phrase::seeds,
    },
    Target {
        name: "statement",
        check: statement::check,
        seeds: statement::seeds,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn committed(target: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(target);
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files
            .map(|path| (name(&path), std::fs::read(&path).unwrap()))
            .collect()
    }

    #[test]
    fn committed_seeds_pass() {
        for target in &TARGETS {
            for seed in committed(target.name).values() {
                (target.check)(seed);
            }
        }
    }

    #[test]
    fn committed_seeds_are_current() {
        for target in &TARGETS {
            let made = (target.seeds)()
                .into_iter()
                .map(|(name, bytes)| (name.to_owned(), bytes));
            assert!(
                committed(target.name) == made.collect(),
                "remake the seeds of {}",
                target.name
            );
        }
    }
}

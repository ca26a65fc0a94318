//! `cargo xtask no-std`: proves that the ground floor does not need std.
//!
//! A bare target would have to be downloaded. Instead the crates are checked for the host against a sysroot that
//! holds nothing but `core`, `alloc`, `compiler_builtins` and an empty crate named `std`: whoever uses anything of
//! std fails to compile. Works offline on the pinned toolchain.

use std::fs;
use std::path::Path;

use crate::process::{command, output, run as sh};
use crate::{Failure, repo::Repo};

/// Crates that promise `no_std` with their default features off.
const CRATES: [&str; 3] = ["trefoil-shares", "trefoil-oprf", "trefoil-protocol"];

/// Checks every crate of [`CRATES`] on its own, so that none borrows a feature from another.
pub(crate) fn run(repo: &Repo) -> Result<(), Failure> {
    let host = host(repo)?;
    // Its own target folder: the flags differ from those of every other build.
    let target = repo.target().join("no-std");
    let sysroot = target.join("sysroot");
    build_sysroot(repo, &sysroot, &host)?;
    for krate in CRATES {
        let mut cargo = repo.cargo([
            "check",
            "--package",
            krate,
            "--no-default-features",
            "--target",
            &host,
        ]);
        // With `--target` the flags do not reach build scripts and proc macros, which keep the real std.
        cargo
            .env("RUSTFLAGS", format!("--sysroot {}", sysroot.display()))
            .env("CARGO_TARGET_DIR", &target);
        sh(&mut cargo)
            .map_err(|failure| format!("{krate} (or what it depends on) needs std: {failure}"))?;
    }
    Ok(())
}

fn host(repo: &Repo) -> Result<String, Failure> {
    let version = output(command("rustc").current_dir(repo.root()).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc -vV names no host")?.to_owned())
}

fn build_sysroot(repo: &Repo, sysroot: &Path, host: &str) -> Result<(), Failure> {
    let real = output(
        command("rustc")
            .current_dir(repo.root())
            .args(["--print", "sysroot"]),
    )?;
    let library = |root: &Path| root.join("lib/rustlib").join(host).join("lib");
    let (from, to) = (library(Path::new(real.trim())), library(sysroot));
    if to.exists() {
        // Left from another toolchain, perhaps: mixed crates would be rejected with a puzzling message.
        fs::remove_dir_all(&to)?;
    }
    fs::create_dir_all(&to)?;
    for name in ["core", "alloc", "compiler_builtins"] {
        let mut found = false;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let file = entry.file_name();
            let stem = file.to_string_lossy();
            if stem.starts_with(&format!("lib{name}-")) {
                fs::copy(entry.path(), to.join(&file))?;
                found = true;
            }
        }
        if !found {
            return Err(format!("the toolchain has no lib{name} in {}", from.display()).into());
        }
    }
    let source = sysroot.join("std.rs");
    fs::write(&source, "#![no_std]\n")?;
    sh(command("rustc")
        .current_dir(repo.root())
        .args([
            "--crate-name",
            "std",
            "--crate-type",
            "rlib",
            "--edition",
            "2024",
            "--target",
            host,
            "--sysroot",
        ])
        .arg(sysroot)
        .arg("--out-dir")
        .arg(&to)
        .arg(&source))
}

//! Running other programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Failure;

/// A command without the variables that `cargo run` sets for us. Build scripts that watch them (ring's does) would
/// otherwise run again whenever a build is started from here instead of from a shell.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text.starts_with("CARGO_BIN_")
            || matches!(
                &*text,
                "CARGO" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "LD_LIBRARY_PATH"
            )
        {
            command.env_remove(&name);
        }
    }
    command
}

/// The whole command line, for messages.
fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs to the end; output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("+ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", shown(command)).into())
    }
}

/// Runs to the end and gives back what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` ended with {}", shown(command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs to the end, copies both streams to the terminal and gives every line to `see`. Returns whether the program
/// succeeded.
pub(crate) fn watch(command: &mut Command, see: impl FnMut(&str) + Send) -> Result<bool, Failure> {
    eprintln!("+ {}", shown(command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let see = std::sync::Mutex::new(see);
    std::thread::scope(|scope| {
        if let Some(err) = err {
            scope.spawn(|| copy(err, &mut std::io::stderr(), &see));
        }
        if let Some(out) = out {
            scope.spawn(|| copy(out, &mut std::io::stdout(), &see));
        }
    });
    Ok(child.wait()?.success())
}

fn copy(from: impl Read, to: &mut impl Write, see: &std::sync::Mutex<impl FnMut(&str)>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
        // A closed terminal must not stop the program whose result is wanted.
        let _ = to.write_all(&line);
        if let Ok(mut see) = see.lock() {
            see(String::from_utf8_lossy(&line).trim_end());
        }
        line.clear();
    }
}

/// The first file of this name in the folders of `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

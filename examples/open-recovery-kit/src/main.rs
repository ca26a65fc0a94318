//! Opens a recovery kit with factors that need no server: what is left when every server is gone.
//!
//! `open-recovery-kit KIT_FILE [--key] < phrases.txt` reads one recovery phrase or dApp share a line and shows the
//! wallet's address, with `--key` also its private key.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "address and key are this program's output"
)]

use std::io::Read;
use std::process::ExitCode;

use trefoil::{Factor, RecoveryKit, RecoveryPhrase, open_kit};
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let show_key = arguments.iter().any(|argument| argument == "--key");
    arguments.retain(|argument| argument != "--key");
    let [file] = arguments.as_slice() else {
        return Err("usage: open-recovery-kit KIT_FILE [--key] < phrases.txt".into());
    };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let kit = RecoveryKit::parse(&text)?;
    let wallet = open_kit(&kit, read_factors()?)?;
    println!("{}", wallet.ethereum_address());
    if show_key {
        println!(
            "{}",
            *Zeroizing::new(hex::encode(wallet.wallet_key().to_bytes()))
        );
    }
    Ok(())
}

/// The words of a dApp share give the same factor as those of a recovery phrase, so one reading serves both.
fn read_factors() -> Result<Vec<Factor>> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(1 << 20).read_to_string(&mut text)?;
    let mut factors = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let phrase =
            RecoveryPhrase::parse(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        factors.push(phrase.into());
    }
    Ok(factors)
}

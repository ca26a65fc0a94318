//! Splits a secp256k1 key into text shares and reconstructs it from any `t` of them.
//!
//! ```text
//! recover-from-shares split 2 3 < key.hex > sheet.txt      # any 2 of 3
//! recover-from-shares recover   < some-of-the-lines.txt
//! ```
//!
//! The sheet holds `commitment` lines, which everybody may see and everybody needs, and `share` lines, each for another
//! place. Secrets travel through standard input and output only; arguments are visible to the whole machine.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the sheet and the key are this program's output"
)]

mod sheet;

use std::io::Read;
use std::process::ExitCode;

use trefoil_shares::{SharedSecret, Threshold, reconstruct, split_count};
use zeroize::Zeroizing;

use sheet::Sheet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: recover-from-shares split THRESHOLD SHARES < key.hex\n       \
                            recover-from-shares recover < sheet.txt";

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["split", threshold, shares] => split(threshold.parse()?, shares.parse()?),
        ["recover"] => recover(),
        _ => Err(USAGE.into()),
    }
}

fn split(threshold: u32, shares: u32) -> Result<()> {
    let text = read_input()?;
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), key.as_mut_slice()).map_err(|error| {
        format!("standard input must hold a key as 64 hexadecimal digits: {error}")
    })?;
    let secret = SharedSecret::from_bytes(&key)?;
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let sharing = split_count(&secret, Threshold::new(threshold)?, shares, &mut rng)?;
    print!("{}", *Sheet::from(sharing).to_text());
    Ok(())
}

/// The result is checked against the commitments: a wrong, foreign or repeated share is named, and no other key comes out.
fn recover() -> Result<()> {
    let sheet = Sheet::parse(&read_input()?)?;
    let secret = reconstruct(&sheet.commitments, &sheet.shares)?;
    println!(
        "{}",
        *Zeroizing::new(hex::encode(secret.expose_secret().as_slice()))
    );
    Ok(())
}

fn read_input() -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(16 << 20).read_to_string(&mut text)?;
    Ok(text)
}

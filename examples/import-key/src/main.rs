//! A wallet app that takes over a key which the user already has.
//!
//! The key comes from standard input as 64 hexadecimal digits, never from an argument, which other users of the machine
//! could see: `cargo run -p example-import-key < key.hex`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

use std::io::Read;
use std::process::ExitCode;

use trefoil::{Opened, Trefoil};
use trefoil_testkit::servers::World;
use zeroize::Zeroizing;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let key = read_key()?;
    let world = World::start().await?;
    let trefoil = Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .build()?;

    let login = trefoil.begin_login();
    let id_token = world.id_token("alice", &login.oidc_nonce())?;
    let Opened::NoAccount(new) = login
        .complete(&"google".parse()?, &id_token)
        .await?
        .open()
        .await?
    else {
        return Err("this login has a wallet already; a second key goes into its vault".into());
    };
    let Opened::Ready(account) = new.import(&key).await? else {
        return Err("MFA is not mandatory in this app".into());
    };
    println!("imported as {}", account.ethereum_address());

    // From now on it is a wallet like any other.
    let login = trefoil.begin_login();
    let id_token = world.id_token("alice", &login.oidc_nonce())?;
    let Opened::Ready(account) = login
        .complete(&"google".parse()?, &id_token)
        .await?
        .open()
        .await?
    else {
        return Err("the login alone opens a one-click wallet".into());
    };
    println!("opened as {}", account.ethereum_address());
    Ok(())
}

fn read_key() -> Result<Zeroizing<[u8; 32]>, Box<dyn std::error::Error>> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    let mut key = Zeroizing::new([0; 32]);
    let digits = text.trim();
    hex::decode_to_slice(
        digits.strip_prefix("0x").unwrap_or(digits),
        key.as_mut_slice(),
    )
    .map_err(|error| format!("standard input must hold a key as 64 hexadecimal digits: {error}"))?;
    Ok(key)
}

//! A wallet app with one click: log in, get a wallet, sign.
//!
//! `cargo run -p example-one-click [USER]` plays the app for a user who logs in twice. The servers run on loopback; an
//! app on the internet would differ only in the two lines that name them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

use std::process::ExitCode;

use sha3::{Digest, Keccak256};
use trefoil::{Account, Opened, Trefoil};
use trefoil_testkit::servers::World;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

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

async fn run() -> Result<()> {
    let user = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "alice".to_owned());
    let world = World::start().await?;
    let trefoil = Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .build()?;

    let account = open_or_create(&trefoil, &world, &user).await?;
    println!("{user} has the wallet {}", account.ethereum_address());

    let again = open_or_create(&trefoil, &world, &user).await?;
    println!("{user} comes back: {}", again.ethereum_address());

    let message = format!("I am {user}");
    let hash = personal_message_hash(message.as_bytes());
    let signature = again.sign_prehash(&hash);
    println!(
        "{message:?} is signed: {}{:02x}",
        hex::encode(signature.bytes),
        27 + signature.recovery_id
    );
    Ok(())
}

/// The one click. Creating is a step of its own, so an app can ask first, or not offer it at all.
async fn open_or_create(trefoil: &Trefoil, world: &World, user: &str) -> Result<Account> {
    let login = trefoil.begin_login();
    let id_token = world.id_token(user, &login.oidc_nonce())?; // here the user is at the provider
    let opened = match login
        .complete(&"google".parse()?, &id_token)
        .await?
        .open()
        .await?
    {
        Opened::NoAccount(new) => {
            println!("{user} is new here");
            new.create().await?
        }
        other => other,
    };
    match opened {
        Opened::Ready(account) => Ok(account),
        // This app never turns on MFA; one that does handles the other cases too.
        other => Err(format!("cannot open the wallet: {other:?}").into()),
    }
}

/// What Ethereum wallets sign when asked to sign a text (EIP-191).
fn personal_message_hash(message: &[u8]) -> [u8; 32] {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", message.len());
    Keccak256::new()
        .chain_update(prefix)
        .chain_update(message)
        .finalize()
        .into()
}

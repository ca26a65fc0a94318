//! A wallet app whose users turn on MFA and come back on a new device.
//!
//! `cargo run -p example-grow-to-two-of-three`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

use std::process::ExitCode;

use trefoil::device::FileDeviceStore;
use trefoil::{Account, Factor, FactorKind, Opened, Pending, RecoveryPhrase, Trefoil};
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
    let world = World::start().await?;
    let (laptop, phone) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let on = |device: &std::path::Path| {
        Trefoil::builder(world.metadata_url(), world.manifest().clone())
            .tenant("acme")
            .device_store(FileDeviceStore::in_directory(device))
            .build()
    };

    let on_laptop = on(laptop.path())?;
    let mut account = ready(log_in(&on_laptop, &world).await?)?;
    let address = account.ethereum_address();
    println!("one click:     {address}, opened by {}", kinds(&account));

    let words = turn_on_mfa(&mut account).await?;
    println!(
        "MFA is on:     {}, any {} of {}",
        account.ethereum_address(),
        account.threshold(),
        kinds(&account)
    );
    drop(account);

    // The laptop has a factor of its own, so the login is all it takes there.
    let account = ready(log_in(&on_laptop, &world).await?)?;
    println!("on the laptop: {}", account.ethereum_address());
    drop(account);

    // The new phone has none. The app asks for one of those that the account has.
    let on_phone = on(phone.path())?;
    let Opened::NeedsFactors(pending) = log_in(&on_phone, &world).await? else {
        return Err("a new device must not open the wallet with a login alone".into());
    };
    let mut account = ask_for_phrase(pending, &words).await?;
    println!("on the phone:  {}", account.ethereum_address());

    // The laptop was stolen: out with it, in with the phone, in one commit.
    let stolen = account
        .factors()
        .iter()
        .find(|note| note.kind == FactorKind::Device);
    let stolen = stolen.ok_or("the laptop is a factor")?.index;
    let mut change = account.change();
    change.device("phone")?.remove(stolen)?;
    change.commit().await?;
    println!(
        "replaced:      {}, any {} of {}",
        account.ethereum_address(),
        account.threshold(),
        kinds(&account)
    );
    drop(account);

    let Err(refused) = ready(log_in(&on_laptop, &world).await?) else {
        return Err("a removed device must not open the wallet".into());
    };
    println!("on the laptop: {refused}");
    Ok(())
}

async fn log_in(trefoil: &Trefoil, world: &World) -> Result<Opened> {
    let login = trefoil.begin_login();
    let id_token = world.id_token("alice", &login.oidc_nonce())?;
    match login
        .complete(&"google".parse()?, &id_token)
        .await?
        .open()
        .await?
    {
        Opened::NoAccount(new) => Ok(new.create().await?),
        other => Ok(other),
    }
}

fn ready(opened: Opened) -> Result<Account> {
    match opened {
        Opened::Ready(account) => Ok(account),
        Opened::NeedsFactors(pending) => {
            Err(format!("{} more factor is needed", pending.missing()).into())
        }
        other => Err(format!("cannot open the wallet: {other:?}").into()),
    }
}

/// Gives back the words that the user would keep.
async fn turn_on_mfa(account: &mut Account) -> Result<String> {
    let mut upgrade = account.enable_mfa();
    upgrade.device("laptop")?.recovery_phrase("in the safe")?;
    let words = upgrade
        .recovery_phrase_words()
        .ok_or("a phrase was drafted")?
        .to_string();
    // An app shows the words, hides them, and has them typed back. Without that it is not committed.
    upgrade.prove_recovery_phrase(&words)?;
    upgrade.commit().await?;
    Ok(words)
}

async fn ask_for_phrase(mut pending: Pending, words: &str) -> Result<Account> {
    let could_help: Vec<_> = pending
        .available()
        .map(|note| format!("{} ({})", note.kind, note.label))
        .collect();
    println!(
        "               needs {} of: {}",
        pending.missing(),
        could_help.join(", ")
    );
    pending
        .provide(Factor::from(RecoveryPhrase::parse(words)?))
        .await?;
    ready(pending.open().await?)
}

fn kinds(account: &Account) -> String {
    let kinds: Vec<_> = account
        .factors()
        .iter()
        .map(|note| note.kind.to_string())
        .collect();
    kinds.join(", ")
}

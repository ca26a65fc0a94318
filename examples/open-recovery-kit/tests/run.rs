//! The example opens a kit that a real server handed out, after that server is gone.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use trefoil::{Account, Opened, Trefoil};
use trefoil_testkit::servers::World;

type Error = Box<dyn std::error::Error>;

/// Standard output, or standard error where the program failed.
fn open(kit: &Path, more: &[&str], phrases: &str) -> Result<String, String> {
    let mut example = Command::new(env!("CARGO_BIN_EXE_example-open-recovery-kit"))
        .arg(kit)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = example.stdin.take() {
        let _ = stdin.write_all(phrases.as_bytes());
    }
    let output = example
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// An account of social login and two phrases, any two of which open it.
async fn account(world: &World) -> Result<(Account, String, String), Error> {
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
        return Err("alice is new".into());
    };
    let Opened::Ready(mut account) = new.create().await? else {
        return Err("MFA is not mandatory".into());
    };
    let mut upgrade = account.enable_mfa();
    upgrade.device("laptop")?.recovery_phrase("in the safe")?;
    let safe = upgrade
        .recovery_phrase_words()
        .ok_or("drafted")?
        .to_string();
    upgrade.prove_recovery_phrase(&safe)?;
    upgrade.commit().await?;
    let mut change = account.change();
    change.recovery_phrase("at the bank")?;
    let bank = change.recovery_phrase_words().ok_or("drafted")?.to_string();
    change.prove_recovery_phrase(&bank)?;
    change.commit().await?;
    Ok((account, safe, bank))
}

#[tokio::test]
async fn two_phrases_open_the_wallet_without_any_server() {
    let mut world = World::start().await.unwrap();
    let (account, safe, bank) = account(&world).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kit = folder.path().join("kit.txt");
    let text = account.recovery_kit().await.unwrap().to_text();
    std::fs::write(&kit, &text).unwrap();
    world.stop().await;

    let address = account.ethereum_address().to_string();
    assert_eq!(
        open(&kit, &[], &format!("{safe}\n\n{bank}\n")),
        Ok(format!("{address}\n"))
    );
    let shown = open(&kit, &["--key"], &format!("{bank}\n{safe}\n")).unwrap();
    assert_eq!(shown.lines().next(), Some(address.as_str()));
    assert_eq!(shown.lines().nth(1).map(str::len), Some(64));

    let error = open(&kit, &[], &safe).unwrap_err();
    assert!(error.contains("1 more"), "{error}");
    assert!(!error.contains(safe.split(' ').next().unwrap()), "{error}");
    let wrong = safe.replacen(' ', " notaword ", 1);
    assert!(open(&kit, &[], &wrong).unwrap_err().contains("line 1"));
    assert!(open(&kit, &[], "").is_err());

    std::fs::write(&kit, text.replacen("A", "B", 1)).unwrap();
    assert!(open(&kit, &[], &format!("{safe}\n{bank}")).is_err());
}

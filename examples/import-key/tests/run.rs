//! The example runs on a known key, and on none.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn import(key: &str) -> std::io::Result<Output> {
    let mut example = Command::new(env!("CARGO_BIN_EXE_example-import-key"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = example.stdin.take() {
        stdin.write_all(key.as_bytes())?;
    }
    example.wait_with_output()
}

#[test]
fn the_address_is_the_keys_own() {
    // The private key 1, whose address every Ethereum library knows.
    let output = import(&format!("{:064x}\n", 1)).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let address = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";
    assert_eq!(
        text,
        format!("imported as {address}\nopened as {address}\n")
    );
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    let above_the_order = "f".repeat(64);
    for wrong in [
        "",
        "00ff",
        &"0".repeat(64),
        &above_the_order,
        &"x".repeat(64),
    ] {
        let output = import(wrong).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{wrong}"
        );
        assert!(error.contains("key"), "{error}");
        assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
    }
}

//! The example runs and shows one address.

use std::process::Command;

#[test]
fn the_same_login_opens_the_same_wallet() {
    let output = Command::new(env!("CARGO_BIN_EXE_example-one-click"))
        .arg("bob")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let address = |marker: &str| {
        text.lines()
            .find_map(|line| line.split_once(marker))
            .unwrap()
            .1
    };
    assert_eq!(address("bob has the wallet "), address("bob comes back: "));
    assert_eq!(text.matches("bob is new here").count(), 1);
    let (_, signature) = text.split_once("is signed: ").unwrap();
    assert_eq!(signature.trim().len(), 130);
}

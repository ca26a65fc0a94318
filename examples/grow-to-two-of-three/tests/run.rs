//! The example runs, keeps one address, and the stolen laptop ends outside.

use std::process::Command;

#[test]
fn one_address_throughout_and_a_removed_device_is_out() {
    let output = Command::new(env!("CARGO_BIN_EXE_example-grow-to-two-of-three"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut addresses: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 42)
        .collect();
    assert_eq!(addresses.len(), 5, "{text}");
    addresses.dedup();
    assert_eq!(addresses.len(), 1, "{text}");
    assert!(
        text.contains("any 2 of social, device, recovery_phrase"),
        "{text}"
    );
    assert!(
        text.contains("any 2 of social, recovery_phrase, device"),
        "{text}"
    );
    assert!(
        text.trim_end()
            .ends_with("on the laptop: 1 more factor is needed"),
        "{text}"
    );
}

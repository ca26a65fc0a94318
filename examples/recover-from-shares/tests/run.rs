//! The example splits and reconstructs, and refuses what does not fit.

use std::io::Write;
use std::process::{Command, Stdio};

/// Standard output, or standard error where the program failed.
fn run(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut example = Command::new(env!("CARGO_BIN_EXE_example-recover-from-shares"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = example.stdin.take() {
        // A program that refuses its arguments does not read.
        let _ = stdin.write_all(input.as_bytes());
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

const KEY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

fn lines(sheet: &str, keep: impl Fn(&str) -> bool) -> String {
    sheet
        .lines()
        .filter(|line| keep(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn every_two_of_three_give_the_key_back_and_one_does_not() {
    let sheet = run(&["split", "2", "3"], KEY).unwrap();
    assert_eq!(sheet.matches("commitment ").count(), 2);
    for missing in ["share 1 ", "share 2 ", "share 3 "] {
        let two = lines(&sheet, |line| !line.starts_with(missing));
        assert_eq!(run(&["recover"], &two), Ok(format!("{KEY}\n")));
        let one = lines(&sheet, |line| {
            line.starts_with("commitment") || line.starts_with(missing)
        });
        let error = run(&["recover"], &one).unwrap_err();
        assert!(error.contains('1'), "{error}");
    }
    assert_eq!(run(&["recover"], &sheet), Ok(format!("{KEY}\n")));
}

#[test]
fn foreign_changed_and_repeated_shares_are_named_and_never_shown() {
    let sheet = run(&["split", "2", "3"], KEY).unwrap();
    let other = run(&["split", "2", "3"], KEY).unwrap();
    let ours = lines(&sheet, |line| {
        !line.starts_with("share 2") && !line.starts_with("share 3")
    });
    let foreign = lines(&other, |line| line.starts_with("share 2"));
    let error = run(&["recover"], &format!("{ours}{foreign}")).unwrap_err();
    assert!(
        error.contains('2') && !error.contains(foreign.trim().rsplit_once(' ').unwrap().1),
        "{error}"
    );

    let first = lines(&sheet, |line| line.starts_with("share 1"));
    assert!(run(&["recover"], &format!("{ours}{first}")).is_err());
    assert!(run(&["recover"], &format!("{ours}share 0 {KEY}\n")).is_err());
    assert!(run(&["recover"], &format!("{ours}share 9 {}\n", &KEY[2..])).is_err());
    assert!(run(&["recover"], "").is_err());
}

#[test]
fn bad_thresholds_and_keys_are_refused() {
    for arguments in [
        ["split", "1", "3"],
        ["split", "3", "2"],
        ["split", "0", "0"],
    ] {
        assert!(run(&arguments, KEY).is_err(), "{arguments:?}");
    }
    for key in ["", "00", &"0".repeat(64), &"f".repeat(64)] {
        assert!(run(&["split", "2", "3"], key).is_err(), "{key}");
    }
    assert!(run(&[], "").unwrap_err().contains("usage"));
}

//! The configurations that the book shows are ones that a node takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use trefoil_node::{FetchConfig, IdTokenVerifier, LimitsConfig, NodeConfig};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/nodes.md");
    fs::read_to_string(path).unwrap()
}

/// The blocks in TOML that begin with one of these lines, in the order of the page.
fn blocks_of<'a>(page: &'a str, heads: &[&str]) -> Vec<&'a str> {
    let all = page
        .split("\n```toml\n")
        .skip(1)
        .map(|rest| rest.split_once("\n```").unwrap().0);
    all.filter(|block| heads.iter().any(|head| block.starts_with(head)))
        .collect()
}

/// The blocks of the verifiers' file.
fn blocks(page: &str) -> Vec<&str> {
    blocks_of(page, &["[[verifier]]", "[fetching]", "[[permit]]"])
}

#[test]
fn the_limits_that_the_book_shows_are_the_defaults() {
    #[derive(serde::Deserialize)]
    struct Settings {
        limits: LimitsConfig,
    }

    let page = page();
    let [block] = blocks_of(&page, &["[limits]"])[..] else {
        panic!("one block of limits");
    };
    let shown: Settings = toml::from_str(block).unwrap();
    assert_eq!(shown.limits, LimitsConfig::default());
}

#[test]
fn every_configuration_of_the_book_is_taken_and_all_go_together() {
    let page = page();
    let blocks = blocks(&page);
    assert_eq!(blocks.len(), 5, "the page has other blocks than expected");
    for block in &blocks {
        let config = NodeConfig::from_toml(block).unwrap();
        IdTokenVerifier::new(config).unwrap();
    }
    let all = NodeConfig::from_toml(&blocks.join("\n")).unwrap();
    assert_eq!(
        all.fetching,
        FetchConfig::default(),
        "the page shows the defaults"
    );
    assert_eq!(all.permits.len(), 1);
    IdTokenVerifier::new(all).unwrap();
}

#[test]
fn every_ready_made_provider_stands_in_the_book_with_its_issuer() {
    let page = page();
    let blocks = blocks(&page).join("\n");
    // The names that the reader of the configuration lists when it is given another.
    let wrong = "[[verifier]]\nprovider = \"nobody\"";
    let error = NodeConfig::from_toml(wrong).unwrap_err().to_string();
    let (_, list) = error.split_once("expected one of ").unwrap();
    let list = list.lines().next().unwrap();
    let known: BTreeSet<&str> = list
        .split(", ")
        .map(|name| name.trim_matches('`'))
        .collect();
    assert_eq!(known.len(), 8, "{list}");
    for name in known {
        assert!(
            page.contains(&format!("\n| `{name}` | ")),
            "no row of {name}"
        );
        assert!(
            blocks.contains(&format!("provider = \"{name}\"")),
            "no example of {name}"
        );
    }
    for issuer in [
        "https://accounts.google.com",
        "https://appleid.apple.com",
        "https://login.microsoftonline.com/<directory>/v2.0",
        "https://<domain>/",
        "https://cognito-idp.<region>.amazonaws.com/<pool>",
        "<base>/realms/<realm>",
    ] {
        assert!(page.contains(&format!("| `{issuer}` |")), "{issuer}");
    }
}

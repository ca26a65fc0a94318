//! Tables of the book that repeat what the code says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use trefoil_protocol::problem::ProblemCode;

fn page(name: &str) -> std::io::Result<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name))
}

/// Rows of the form `| `code` | 404 | meaning |`.
fn problem_rows(text: &str) -> Vec<(String, String)> {
    let code_of = |line: &str| Some(line.strip_prefix("| `")?.split_once("` | ")?.0.to_owned());
    let is_status = |line: &str| {
        line.split(" | ")
            .nth(1)
            .is_some_and(|cell| cell.parse::<u16>().is_ok())
    };
    text.lines()
        .filter(|line| is_status(line))
        .filter_map(|line| Some((code_of(line)?, line.to_owned())))
        .collect()
}

#[test]
fn every_problem_code_stands_in_the_book_once_and_as_in_the_code() {
    let mut shown = BTreeMap::new();
    for name in ["metadata-server.md", "nodes.md"] {
        for (code, line) in problem_rows(&page(name).unwrap()) {
            assert!(
                shown.insert(code.clone(), line).is_none(),
                "`{code}` stands twice"
            );
        }
    }
    let expected: BTreeMap<_, _> = ProblemCode::ALL
        .iter()
        .map(|code| {
            (
                code.to_string(),
                format!("| `{code}` | {} | {} |", code.status(), code.title()),
            )
        })
        .collect();
    let missing: Vec<_> = expected
        .iter()
        .filter(|(code, row)| shown.get(*code) != Some(row))
        .map(|(_, row)| row)
        .collect();
    assert!(
        missing.is_empty(),
        "rows that the book lacks or has otherwise:\n{missing:#?}"
    );
    let stale: Vec<_> = shown
        .keys()
        .filter(|code| !expected.contains_key(*code))
        .collect();
    assert!(
        stale.is_empty(),
        "codes that the code does not know: {stale:?}"
    );
}

#[test]
fn every_exit_code_stands_in_the_book_as_in_the_help_text() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/cli/src/failure.rs");
    let source = fs::read_to_string(source).unwrap();
    let (_, list) = source.split_once("Exit codes:\n").unwrap();
    let (list, _) = list.split_once("\";").unwrap();
    let rows: Vec<String> = list
        .lines()
        .map(|line| line.trim().split_once("  ").unwrap())
        .map(|(code, meaning)| format!("| {code} | {meaning} |"))
        .collect();
    assert!(
        rows.len() > 5,
        "the list of exit codes has another form than expected: {rows:?}"
    );
    let book = page("cli.md").unwrap();
    let shown: Vec<&str> = book
        .lines()
        .filter(|line| {
            line.split(" | ")
                .next()
                .is_some_and(|cell| cell.trim_start_matches("| ").parse::<u8>().is_ok())
        })
        .collect();
    assert_eq!(shown, rows);
}

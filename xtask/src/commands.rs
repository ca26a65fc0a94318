//! The shell commands that the README and the book show.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

/// One fenced block marked `sh` (run), or any other word (shown only).
pub(crate) struct Block {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) script: String,
}

/// Every `sh` block of a Markdown file, in order.
///
/// # Errors
/// A block marked `bash`, `shell` or `console`, or a fence that is never closed: such a block would silently not be run.
pub(crate) fn blocks(file: &Path) -> Result<Vec<Block>, Failure> {
    let text = fs::read_to_string(file)?;
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let here = || format!("{}:{}", file.display(), number + 1);
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                let language = language.trim();
                if matches!(language, "bash" | "shell" | "console" | "zsh") {
                    return Err(
                        format!("{}: mark the block `sh`, so that it is run", here()).into(),
                    );
                }
                open = Some((number + 1, language.to_owned(), String::new()));
            }
            (Some(_), Some(_)) => {
                if let Some((line, language, script)) = open.take()
                    && language == "sh"
                {
                    blocks.push(Block {
                        file: file.to_path_buf(),
                        line,
                        script,
                    });
                }
            }
            (Some((_, _, script)), None) => {
                script.push_str(line);
                script.push('\n');
            }
            (None, None) => {}
        }
    }
    match open {
        Some((line, ..)) => {
            Err(format!("{}:{line}: the block is never closed", file.display()).into())
        }
        None => Ok(blocks),
    }
}

/// A link to another place of this repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Relative to the page; empty for the page itself.
    pub(crate) path: String,
    /// Without the `#`; empty where there is none.
    pub(crate) anchor: String,
}

/// Links of a Markdown file to files of this repository; code is skipped.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line;
        while let Some((_, tail)) = rest.split_once("](") {
            let Some((target, tail)) = tail.split_once(')') else {
                break;
            };
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            if !path.contains("://") && !path.starts_with("mailto:") {
                found.push(Link {
                    path: path.to_owned(),
                    anchor: anchor.to_owned(),
                });
            }
            rest = tail;
        }
    }
    found
}

/// The anchors of a Markdown file's headings, as GitHub and mdbook make them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|title| {
            title
                .chars()
                .filter(|c| keep(*c))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

/// The lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{anchors, blocks, links};

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn only_sh_blocks_are_run() {
        let found =
            blocks(file("a\n```sh\necho 1\necho 2\n```\n```text\nrm -rf x\n```\n").path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].script.as_str()),
            (2, "echo 1\necho 2\n")
        );
    }

    #[test]
    fn a_block_that_would_not_run_is_refused() {
        assert!(blocks(file("```bash\necho\n```\n").path()).is_err());
        assert!(blocks(file("```sh\necho\n").path()).is_err());
    }

    #[test]
    fn links_are_found_outside_code() {
        let text = "[a](b.md#c) [d](https://e) [f](#g)\n```\n[h](i)\n```\n[j](../k.md)";
        let found: Vec<_> = links(text)
            .into_iter()
            .map(|link| (link.path, link.anchor))
            .collect();
        let expected = [("b.md", "c"), ("", "g"), ("../k.md", "")];
        assert_eq!(
            found,
            expected.map(|(path, anchor)| (path.to_owned(), anchor.to_owned()))
        );
    }

    #[test]
    fn headings_get_the_anchors_that_renderers_give_them() {
        let text = "# The nonce, and `custody`\n```sh\n# no heading\n```\n## Who gets what?";
        assert_eq!(anchors(text), ["the-nonce-and-custody", "who-gets-what"]);
    }
}

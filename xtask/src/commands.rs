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

/// Relative link targets of a Markdown file, without their anchors; code is skipped.
pub(crate) fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some((_, tail)) = rest.split_once("](") {
            let Some((link, tail)) = tail.split_once(')') else {
                break;
            };
            let path = link.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:") {
                found.push(path.to_owned());
            }
            rest = tail;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{blocks, links};

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
        assert_eq!(
            links("[a](b.md#c) [d](https://e) [f](#g)\n```\n[h](i)\n```\n[j](../k.md)"),
            ["b.md", "../k.md"]
        );
    }
}

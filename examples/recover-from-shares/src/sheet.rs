//! Commitments and shares as lines of text.

use std::fmt::Write;

use trefoil_shares::{Commitments, Share, Sharing};
use zeroize::Zeroizing;

use crate::Result;

/// What is needed to reconstruct.
pub(crate) struct Sheet {
    pub(crate) commitments: Commitments,
    pub(crate) shares: Vec<Share>,
}

impl From<Sharing> for Sheet {
    fn from(sharing: Sharing) -> Self {
        Self {
            commitments: sharing.commitments,
            shares: sharing.shares,
        }
    }
}

impl Sheet {
    /// One line each: `commitment <33 bytes>` by rising degree, `share <index> <32 bytes>`, bytes in hexadecimal.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for point in self.commitments.to_bytes() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "commitment {}", hex::encode(point));
        }
        for share in &self.shares {
            let value = Zeroizing::new(hex::encode(share.expose_secret().as_slice()));
            let _ = writeln!(text, "share {} {}", share.index().get(), *value);
        }
        text
    }

    /// Reads lines in any order of shares; blank lines and lines that start with `#` do not count.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut points = Vec::new();
        let mut shares = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let parsed = match words.as_slice() {
                [] => Ok(()),
                [first, ..] if first.starts_with('#') => Ok(()),
                ["commitment", point] => bytes::<33>(point).map(|point| points.push(*point)),
                ["share", index, value] => share(index, value).map(|share| shares.push(share)),
                _ => Err("neither `commitment HEX` nor `share INDEX HEX`".into()),
            };
            // The line itself may hold a secret: name its number only.
            parsed.map_err(|error| format!("line {}: {error}", number + 1))?;
        }
        let commitments = Commitments::from_bytes(&points)
            .map_err(|error| format!("the commitment lines: {error}"))?;
        Ok(Self {
            commitments,
            shares,
        })
    }
}

fn share(index: &str, value: &str) -> Result<Share> {
    let index = index
        .parse()
        .map_err(|_| "the index is not a number below 2^32")?;
    Ok(Share::from_parts(index, &*bytes::<32>(value)?)?)
}

fn bytes<const N: usize>(digits: &str) -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    hex::decode_to_slice(digits, bytes.as_mut_slice())
        .map_err(|_| format!("must have {} hexadecimal digits", 2 * N))?;
    Ok(bytes)
}

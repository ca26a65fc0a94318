//! JSON objects that carry their version: a newer one is told apart from damage before anything else is read.

use serde::Deserialize;

/// Why bytes were not read.
pub(crate) enum Unread {
    /// Not a JSON object of the form asked for. The reason is `None` for JSON that is no object: serde would also read a
    /// struct from a list of its fields' values, and one thing must have one form.
    Malformed(Option<serde_json::Error>),
    /// A version this software does not know.
    UnknownVersion(u32),
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// Reads an object whose `version` is the one given.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], known: u32) -> Result<T, Unread> {
    // Nothing at all is left to serde, whose error says that the end came too early.
    let first = bytes.trim_ascii_start().first();
    if first.is_some_and(|first| *first != b'{') {
        return Err(Unread::Malformed(None));
    }
    let VersionOnly { version } = serde_json::from_slice(bytes)?;
    if version != known {
        return Err(Unread::UnknownVersion(version));
    }
    Ok(serde_json::from_slice(bytes)?)
}

impl From<serde_json::Error> for Unread {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(Some(error))
    }
}

impl Unread {
    /// The caller's own error for it.
    pub(crate) fn into_error<E>(self, malformed: E, unknown: impl FnOnce(u32) -> E) -> E {
        match self {
            Self::Malformed(_) => malformed,
            Self::UnknownVersion(version) => unknown(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its form matters")]
    struct Thing {
        version: u32,
        name: u8,
    }

    fn refusal(text: &str) -> &'static str {
        match read::<Thing>(text.as_bytes(), 1) {
            Ok(_) => "read",
            Err(Unread::Malformed(_)) => "malformed",
            Err(Unread::UnknownVersion(_)) => "unknown version",
        }
    }

    #[test]
    fn only_objects_of_the_known_version() {
        assert_eq!(refusal(r#"{"version":1,"name":2}"#), "read");
        assert_eq!(refusal(r#"{"version":2,"anything":[]}"#), "unknown version");
        for bad in [
            "",
            "1",
            "[1,2]",
            " [1,2]",
            r#"{"name":2}"#,
            r#"{"version":1,"name":2,"more":3}"#,
        ] {
            assert_eq!(refusal(bad), "malformed", "{bad}");
        }
    }
}

//! What settings files of servers have in common: reading them, and telling everything that is wrong at once.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use trefoil_client::transport::is_secure;
use url::Url;

use crate::failure::{Exit, Failure};
use crate::files;

/// Where certificate and key lie, as settings files say it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSection {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// Reads a settings file.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = files::read(path)?;
    toml::from_str(&text).map_err(|error| not_toml(path, &text, &error))
}

/// Says where and what, and shows nothing of the text: it may be another file than was meant, with a key in it.
pub(crate) fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    Failure::new(
        Exit::Usage,
        "bad_settings",
        format!("{}: line {line}: {}", path.display(), error.message()),
    )
}

/// What is wrong, with its field.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<(Cow<'static, str>, String)>);

impl Problems {
    pub(crate) fn add(&mut self, field: impl Into<Cow<'static, str>>, what: impl Into<String>) {
        self.0.push((field.into(), what.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Both or neither.
    pub(crate) fn pair(
        &mut self,
        first: (&'static str, Option<PathBuf>),
        second: (&'static str, Option<PathBuf>),
    ) -> Option<(PathBuf, PathBuf)> {
        match (first, second) {
            ((_, Some(first)), (_, Some(second))) => Some((first, second)),
            ((_, None), (_, None)) => None,
            ((missing, None), (given, Some(_))) | ((given, Some(_)), (missing, None)) => {
                self.add(missing, format!("is missing: it goes with {given}"));
                None
            }
        }
    }

    /// One a line, each with the file where there is one.
    pub(crate) fn into_failure(self, path: Option<&Path>) -> Failure {
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|(field, what)| match path {
                Some(path) => format!("{}: {field}: {what}", path.display()),
                None => format!("{field}: {what}"),
            })
            .collect();
        let message = lines.join("\n");
        if path.is_some() {
            Failure::new(Exit::Usage, "bad_settings", message)
        } else {
            Failure::usage(message)
        }
    }

    #[cfg(test)]
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.0.iter().map(|(field, _)| field.as_ref()).collect()
    }
}

/// What a manifest or a client would take as a server's URL.
pub(crate) fn is_public_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        is_secure(&url)
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && !text.ends_with('/')
    })
}

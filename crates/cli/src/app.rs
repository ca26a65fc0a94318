//! The file that tells a wallet where its servers are: what an app would be built with. `trefoil serve dev` writes one.

use std::path::Path;

use serde::{Deserialize, Serialize};
use trefoil::{SignedManifest, Tenant, Trefoil, TrefoilBuilder, VerifierId};

use crate::failure::{Exit, Failure};
use crate::files;

const VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppFile {
    version: u32,
    pub(crate) metadata_url: String,
    pub(crate) tenant: Tenant,
    /// The first one is used where none is named.
    pub(crate) verifiers: Vec<Verifier>,
    /// The network's first manifest, which is trusted as it stands here.
    pub(crate) manifest: SignedManifest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verifier {
    pub(crate) id: VerifierId,
    /// The app runs the login provider itself.
    pub(crate) custom: bool,
    /// Where a development provider signs in whoever is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dev_token_url: Option<String>,
}

#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

impl AppFile {
    pub(crate) const fn new(
        metadata_url: String,
        tenant: Tenant,
        verifiers: Vec<Verifier>,
        manifest: SignedManifest,
    ) -> Self {
        Self {
            version: VERSION,
            metadata_url,
            tenant,
            verifiers,
            manifest,
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read(path)?;
        let bad = |reason: &dyn std::fmt::Display| {
            let message = format!(
                "{} is not a network file of `trefoil serve dev`: {reason}",
                path.display()
            );
            Failure::new(Exit::Usage, "bad_network_file", message)
        };
        let AnyVersion { version } = serde_json::from_str(&text).map_err(|error| bad(&error))?;
        if version != VERSION {
            return Err(bad(&format!(
                "version {version} is not known, update this software"
            )));
        }
        serde_json::from_str(&text).map_err(|error| bad(&error))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Failure::new(
                Exit::Other,
                "unexpected",
                format!("cannot write the network file: {error}"),
            )
        })?;
        files::write(path, &text)
    }

    pub(crate) fn builder(&self) -> TrefoilBuilder {
        let builder = Trefoil::builder(self.metadata_url.clone(), self.manifest.clone())
            .tenant(self.tenant.as_str());
        self.verifiers
            .iter()
            .filter(|verifier| verifier.custom)
            .fold(builder, |builder, verifier| {
                builder.custom_verifier(verifier.id.clone())
            })
    }

    /// The named verifier, or the first one.
    pub(crate) fn verifier(&self, name: Option<&VerifierId>) -> Result<&Verifier, Failure> {
        let found = match name {
            Some(name) => self.verifiers.iter().find(|verifier| verifier.id == *name),
            None => self.verifiers.first(),
        };
        found.ok_or_else(|| {
            let known: Vec<&str> = self
                .verifiers
                .iter()
                .map(|verifier| verifier.id.as_str())
                .collect();
            Failure::usage(format!(
                "the network file has no such verifier; it has: {}",
                known.join(", ")
            ))
        })
    }
}

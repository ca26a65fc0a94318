//! The manifests of a network since the first, each verified by the one before.

use futures::future::join_all;
use trefoil_protocol::bytes::NetworkKey;
use trefoil_protocol::social::{ManifestChain, SignedManifest, VerifiedManifest};

use super::{CeremonyError, Coordinator, NodeTrouble};

/// A verified chain, oldest first.
#[derive(Debug, Clone)]
pub struct Chain {
    manifests: Vec<SignedManifest>,
    newest: VerifiedManifest,
}

impl Chain {
    /// The newest manifest.
    #[must_use]
    pub const fn newest(&self) -> &VerifiedManifest {
        &self.newest
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn manifests(&self) -> &[SignedManifest] {
        &self.manifests
    }

    /// The one before the newest.
    #[must_use]
    pub fn before_newest(&self) -> Option<VerifiedManifest> {
        let before = self.manifests.len().checked_sub(2)?;
        self.manifests.get(before)?.trust_pinned().ok()
    }
}

impl Coordinator {
    /// The longest chain that these nodes serve of this network.
    ///
    /// # Errors
    /// [`CeremonyError::NoChain`] where none of them serves one that verifies.
    pub async fn chain(
        &self,
        urls: &[String],
        network: &NetworkKey,
    ) -> Result<Chain, CeremonyError> {
        let chains = join_all(urls.iter().map(|url| self.chain_of(url, network))).await;
        let mut trouble = Vec::new();
        let mut longest: Option<Chain> = None;
        for chain in chains {
            match chain {
                Ok(chain) => {
                    let longer = longest
                        .as_ref()
                        .is_none_or(|known| known.newest.epoch() < chain.newest.epoch());
                    if longer {
                        longest = Some(chain);
                    }
                }
                Err(what) => trouble.push(what),
            }
        }
        longest.ok_or(CeremonyError::NoChain(trouble))
    }

    async fn chain_of(&self, url: &str, network: &NetworkKey) -> Result<Chain, NodeTrouble> {
        let wrong = |error: &dyn core::fmt::Display| NodeTrouble {
            url: url.to_owned(),
            what: format!("serves a manifest that cannot be used: {error}"),
            problem: None,
        };
        let mut chain: Option<Chain> = None;
        loop {
            let epoch = chain.as_ref().map_or(0, |chain| chain.newest.epoch());
            let served = self.caller.manifests_after(url, epoch).await;
            let ManifestChain { manifests, .. } =
                served.map_err(|refused| refused.into_trouble(url))?;
            if manifests.is_empty() {
                return chain.ok_or_else(|| wrong(&"there is none"));
            }
            for manifest in manifests {
                chain = Some(match chain {
                    None => Chain {
                        newest: manifest
                            .verify_first(network)
                            .map_err(|error| wrong(&error))?,
                        manifests: vec![manifest],
                    },
                    Some(mut known) => {
                        known.newest = known
                            .newest
                            .verify_next(&manifest)
                            .map_err(|error| wrong(&error))?;
                        known.manifests.push(manifest);
                        known
                    }
                });
            }
        }
    }
}

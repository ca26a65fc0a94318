use std::sync::Arc;

use trefoil_client::network;
use trefoil_protocol::bytes::Locator;
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::social::{EphemeralKey, GENERATIONS, IdToken, VerifierId};

use super::{LoginError, authenticate, hints};
use crate::core::Core;
use crate::open::{Locked, SocialIdentity};

/// A social login under way: the user is at the provider.
#[derive(Debug)]
pub struct Login {
    core: Arc<Core>,
    ephemeral: EphemeralKey,
}

/// A social factor at hand, obtained without touching any account: to link it to an open one, or to open a recovery kit.
#[derive(Debug, Clone)]
pub struct SocialLogin {
    pub(crate) secret: FactorSecret,
    pub(crate) identity: SocialIdentity,
}

impl Login {
    pub(crate) fn begin(core: Arc<Core>) -> Self {
        let ephemeral = EphemeralKey::random(&mut core.environment.rng());
        core.connect_ahead();
        Self { core, ephemeral }
    }

    /// What the app passes to the provider as the OpenID Connect `nonce`: it binds the ID token to this login.
    #[must_use]
    pub fn oidc_nonce(&self) -> String {
        self.ephemeral.oidc_nonce()
    }

    /// Completes the login with the provider's ID token: the nodes in parallel, then the metadata server.
    ///
    /// A social login that was removed from its account is tried in its next generations.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn complete(
        self,
        verifier: &VerifierId,
        id_token: &str,
    ) -> Result<Locked, LoginError> {
        let mut retired: Vec<Locator> = Vec::new();
        for generation in 0..GENERATIONS {
            let social = self.evaluate(verifier, id_token, generation).await?;
            let keys = FactorKeys::derive(&self.core.tenant, &social.secret);
            let locked = authenticate(&self.core, vec![keys.clone()], &retired).await;
            match locked {
                Err(LoginError::Metadata(trefoil_client::metadata::LoginError::FactorRemoved)) => {}
                Ok(locked) if locked.was_removed(&keys) => {}
                other => return other.map(|locked| locked.with_identity(keys, social.identity)),
            }
            // Kept only for the pins by which the device finds its own factor of the account.
            retired.push(keys.locator());
        }
        Err(LoginError::AllGenerationsRemoved)
    }

    /// Obtains the social factor alone, in generation 0 unless another is named, without touching any account.
    ///
    /// # Errors
    /// [`LoginError::Network`].
    pub async fn factor(
        self,
        verifier: &VerifierId,
        id_token: &str,
        generation: u32,
    ) -> Result<SocialLogin, LoginError> {
        self.evaluate(verifier, id_token, generation).await
    }

    async fn evaluate(
        &self,
        verifier: &VerifierId,
        id_token: &str,
        generation: u32,
    ) -> Result<SocialLogin, LoginError> {
        let token = IdToken::new(id_token.to_owned());
        let asked = network::SocialLogin::new(
            &self.ephemeral,
            self.core.tenant.clone(),
            verifier.clone(),
            token,
        );
        let answer = self
            .core
            .network
            .social_secret(&asked.in_generation(generation))
            .await?;
        for report in &answer.reports {
            tracing::debug!(node = %report.index, fault = ?report.fault, "a node did not contribute to the login");
        }
        let tenant = &self.core.tenant;
        let identity = SocialIdentity {
            verifier: verifier.clone(),
            generation,
            identity: hints::identity(tenant, answer.identity.user()),
            email: hints::email(tenant, id_token),
        };
        Ok(SocialLogin {
            secret: answer.secret,
            identity,
        })
    }
}

//! A software authenticator with WebAuthn's PRF extension behind a WebAuthn client, as a platform app would reach one.

use core::future::Future;
use core::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use passkey::authenticator::extensions::HmacSecretConfig;
use passkey::authenticator::{Authenticator, MemoryStore, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData, WebauthnError};
use passkey::crypto::AvailableBackend;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::{Passkey as StoredPasskey, webauthn};
use rand_core::Rng as _;
use tokio::sync::Mutex;
use trefoil_factors::passkey::{
    CreatePasskey, CreatedPasskey, CredentialId, GetPasskey, PasskeyAuthenticator, PasskeyError,
    PasskeyFuture, PrfOutput, UsedPasskey,
};
use url::Url;

use crate::environment::os_rng;

/// An authenticator in memory, on a platform whose user is verified without being asked. Clones are the same one.
#[derive(Clone, Default)]
pub struct SoftwareAuthenticator {
    credentials: Arc<Mutex<MemoryStore>>,
    hand: Hand,
    without_prf: bool,
}

/// The user's hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicBool>);

impl SoftwareAuthenticator {
    /// One with the PRF extension.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that creates passkeys, but has no PRF.
    #[must_use]
    pub fn without_prf() -> Self {
        Self {
            without_prf: true,
            ..Self::default()
        }
    }

    /// From now on the user cancels.
    pub fn cancel(&self) {
        self.hand.0.store(true, Ordering::Relaxed);
    }

    /// How many credentials it holds.
    pub async fn credentials(&self) -> usize {
        self.credentials.lock().await.len()
    }

    fn authenticator(
        &self,
        store: MemoryStore,
    ) -> Authenticator<MemoryStore, Hand, AvailableBackend> {
        let hand = self.hand.clone();
        let authenticator = Authenticator::new(Aaguid::new_empty(), store, hand, AvailableBackend);
        if self.without_prf {
            authenticator
        } else {
            authenticator.hmac_secret(HmacSecretConfig::new_with_uv_only())
        }
    }
}

impl PasskeyAuthenticator for SoftwareAuthenticator {
    fn create(&self, create: CreatePasskey) -> PasskeyFuture<'_, CreatedPasskey> {
        Box::pin(async move {
            let origin = origin(&create.rp_id)?;
            let mut store = self.credentials.lock().await;
            let mut client = Client::new(self.authenticator(store.clone()));
            let options = creation(create);
            let created = client
                .register(&origin, options, DefaultClientData)
                .await
                .map_err(failed)?;
            *store = client.authenticator().store().clone();
            let prf = created.client_extension_results.prf;
            Ok(CreatedPasskey {
                credential: CredentialId::new(created.raw_id.to_vec()),
                prf: prf.and_then(|prf| prf.enabled).unwrap_or(false),
            })
        })
    }

    fn get(&self, get: GetPasskey) -> PasskeyFuture<'_, UsedPasskey> {
        Box::pin(async move {
            let origin = origin(&get.rp_id)?;
            let mut store = self.credentials.lock().await;
            let mut client = Client::new(self.authenticator(store.clone()));
            let get = GetPasskey {
                allow: chosen(&store, &get),
                ..get
            };
            let used = client
                .authenticate(&origin, request(get), DefaultClientData)
                .await
                .map_err(failed)?;
            *store = client.authenticator().store().clone();
            let prf = used.client_extension_results.prf;
            let output = prf.and_then(|prf| prf.results).map(|results| results.first);
            let output = output.and_then(|first| <[u8; 32]>::try_from(first.as_slice()).ok());
            Ok(UsedPasskey {
                credential: CredentialId::new(used.raw_id.to_vec()),
                output: output.map(PrfOutput::new),
            })
        })
    }
}

/// The platform's picker: the store in memory finds credentials by their names alone, so where the app names none it lists
/// those that are discoverable for the relying party.
fn chosen(store: &MemoryStore, get: &GetPasskey) -> Vec<CredentialId> {
    if !get.allow.is_empty() {
        return get.allow.clone();
    }
    let here = store.iter().filter(|(_, stored)| stored.rp_id == get.rp_id);
    here.map(|(id, _)| CredentialId::new(id.clone())).collect()
}

fn origin(rp_id: &str) -> Result<Url, PasskeyError> {
    Url::parse(&format!("https://{rp_id}")).map_err(|error| PasskeyError::Failed(error.to_string()))
}

fn creation(create: CreatePasskey) -> webauthn::CredentialCreationOptions {
    let exclude = descriptors(create.exclude);
    webauthn::CredentialCreationOptions {
        public_key: webauthn::PublicKeyCredentialCreationOptions {
            rp: webauthn::PublicKeyCredentialRpEntity {
                id: Some(create.rp_id.clone()),
                name: create.rp_id,
            },
            user: webauthn::PublicKeyCredentialUserEntity {
                id: create.user_handle.to_vec().into(),
                display_name: create.name.clone(),
                name: create.name,
            },
            challenge: challenge().into(),
            pub_key_cred_params: Vec::new(),
            timeout: None,
            exclude_credentials: exclude,
            authenticator_selection: Some(webauthn::AuthenticatorSelectionCriteria {
                authenticator_attachment: None,
                resident_key: Some(webauthn::ResidentKeyRequirement::Required),
                require_resident_key: true,
                user_verification: webauthn::UserVerificationRequirement::Required,
            }),
            hints: None,
            attestation: webauthn::AttestationConveyancePreference::None,
            attestation_formats: None,
            extensions: Some(extensions(&create.salt, false)),
        },
    }
}

fn request(get: GetPasskey) -> webauthn::CredentialRequestOptions {
    webauthn::CredentialRequestOptions {
        public_key: webauthn::PublicKeyCredentialRequestOptions {
            challenge: challenge().into(),
            timeout: None,
            rp_id: Some(get.rp_id),
            allow_credentials: descriptors(get.allow),
            user_verification: webauthn::UserVerificationRequirement::Required,
            hints: None,
            attestation: webauthn::AttestationConveyancePreference::None,
            attestation_formats: None,
            extensions: Some(extensions(&get.salt, true)),
        },
    }
}

/// At creation only whether there is a PRF is asked.
fn extensions(salt: &[u8; 32], evaluate: bool) -> webauthn::AuthenticationExtensionsClientInputs {
    let values = webauthn::AuthenticationExtensionsPrfValues {
        first: salt.to_vec().into(),
        second: None,
    };
    webauthn::AuthenticationExtensionsClientInputs {
        prf: Some(webauthn::AuthenticationExtensionsPrfInputs {
            eval: evaluate.then_some(values),
            eval_by_credential: None,
        }),
        ..Default::default()
    }
}

fn descriptors(
    credentials: Vec<CredentialId>,
) -> Option<Vec<webauthn::PublicKeyCredentialDescriptor>> {
    let descriptor = |credential: CredentialId| webauthn::PublicKeyCredentialDescriptor {
        ty: webauthn::PublicKeyCredentialType::PublicKey,
        id: credential.as_bytes().to_vec().into(),
        transports: None,
    };
    (!credentials.is_empty()).then(|| credentials.into_iter().map(descriptor).collect())
}

fn challenge() -> Vec<u8> {
    let mut challenge = vec![0; 32];
    os_rng().fill_bytes(&mut challenge);
    challenge
}

fn failed(error: WebauthnError) -> PasskeyError {
    const DENIED: u8 = Ctap2Error::OperationDenied as u8;
    const EXCLUDED: u8 = Ctap2Error::CredentialExcluded as u8;
    match error {
        WebauthnError::TimeoutError | WebauthnError::AuthenticatorError(DENIED) => {
            PasskeyError::Cancelled
        }
        WebauthnError::AuthenticatorError(EXCLUDED) => PasskeyError::AlreadyThere,
        WebauthnError::CredentialNotFound => PasskeyError::NoPasskey,
        other => PasskeyError::Failed(format!("{other:?}")),
    }
}

/// As the trait's macro writes it.
type Checked<'a> = Pin<Box<dyn Future<Output = Result<UserCheck, Ctap2Error>> + Send + 'a>>;

impl UserValidationMethod for Hand {
    type PasskeyItem = StoredPasskey;

    fn check_user<'a, 'life0, 'async_trait>(
        &'life0 self,
        hint: UiHint<'a, StoredPasskey>,
        presence: bool,
        verification: bool,
    ) -> Checked<'async_trait>
    where
        'a: 'async_trait,
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let cancelled = self.0.load(Ordering::Relaxed);
        // The library goes on after telling the user; the standard says that it ends here.
        let excluded = matches!(hint, UiHint::InformExcludedCredentialFound(_));
        Box::pin(async move {
            if excluded {
                return Err(Ctap2Error::CredentialExcluded);
            }
            if cancelled {
                return Err(Ctap2Error::OperationDenied);
            }
            Ok(UserCheck {
                presence,
                verification,
            })
        })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

impl core::fmt::Debug for SoftwareAuthenticator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SoftwareAuthenticator")
            .field("without_prf", &self.without_prf)
            .finish_non_exhaustive()
    }
}

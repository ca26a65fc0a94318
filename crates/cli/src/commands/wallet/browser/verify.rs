//! The ID token is checked here before it goes to the nodes, which check it again: what is wrong with it is then told
//! in words, and a token that is not ours is sent to nobody.

use openidconnect::core::{
    CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreTokenResponse,
};
use openidconnect::{
    ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError,
    TokenResponse as _,
};
use zeroize::Zeroizing;

use super::provider::misbehaved;
use crate::failure::{Exit, Failure};

/// Those that nodes take.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 3] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The token's text, if signature, issuer, audience, expiry and nonce hold (OpenID Connect Core section 3.1.3.7).
///
/// # Errors
/// `provider_misbehaved` where there is no ID token, `login_again` where it has expired, else `bad_id_token`.
pub(super) fn id_token(
    answer: &CoreTokenResponse,
    issuer: &IssuerUrl,
    client_id: &ClientId,
    nonce: &Nonce,
    keys: CoreJsonWebKeySet,
) -> Result<Zeroizing<String>, Failure> {
    let token = answer
        .id_token()
        .ok_or_else(|| misbehaved(issuer, "it gave no ID token"))?;
    // Without the client secret: as a key for HMAC it must not count. Further audiences are judged by the nodes, which
    // have the list of those that belong together.
    let verifier = CoreIdTokenVerifier::new_public_client(client_id.clone(), issuer.clone(), keys)
        .set_allowed_algs(ALGORITHMS)
        .set_other_audience_verifier_fn(|_| true);
    token
        .claims(&verifier, nonce)
        .map_err(|error| refused(issuer, client_id, &error))?;
    Ok(Zeroizing::new(token.to_string()))
}

/// In our words: the library's repeat what stands in the token.
fn refused(issuer: &IssuerUrl, client_id: &ClientId, error: &ClaimsVerificationError) -> Failure {
    use ClaimsVerificationError as Claims;
    use SignatureVerificationError as Signature;
    let why = match error {
        Claims::Expired(_) => {
            let message = "the ID token has expired: log in again, and if that does not help set this machine's clock";
            return Failure::new(Exit::Input, "login_again", message);
        }
        Claims::InvalidNonce(_) => {
            "is not bound to this login: it must carry the nonce that the wallet sent. Log in again; a provider that \
             changes nonces cannot be used"
                .to_owned()
        }
        Claims::InvalidAudience(_) => {
            format!("was made for another app than {}", client_id.as_str())
        }
        Claims::InvalidIssuer(_) => "names another issuer".to_owned(),
        Claims::SignatureVerification(
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) | Signature::NoSignature,
        ) => "must be signed with RS256, ES256 or EdDSA; the provider's settings for this client say how".to_owned(),
        Claims::SignatureVerification(_) => {
            "does not hold: its signature is not by a key that the provider publishes".to_owned()
        }
        _ => "cannot be used".to_owned(),
    };
    let message = format!("the ID token of {} {why}", issuer.as_str());
    Failure::new(Exit::Input, "bad_id_token", message)
}

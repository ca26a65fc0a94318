//! What the provider says of itself (OpenID Connect Discovery 1.0), and what its refusals mean for the user.

use openidconnect::core::{
    CoreClientAuthMethod, CoreErrorResponseType, CoreJsonWebKeySet, CoreProviderMetadata,
    CoreRequestTokenError,
};
use openidconnect::{AuthType, DiscoveryError, IssuerUrl};
use trefoil_client::TransportError;
use trefoil_client::transport::is_secure;

use super::http::Http;
use crate::failure::{Exit, Failure};

/// Fetches the discovery document. Its issuer must be the one asked for, character by character, and its
/// authorization endpoint fit for a browser: HTTPS, or this machine.
///
/// # Errors
/// `offline`, or `bad_issuer` with what is wrong there.
pub(super) async fn discover(
    issuer: &IssuerUrl,
    http: &Http,
) -> Result<CoreProviderMetadata, Failure> {
    let provider = CoreProviderMetadata::discover_async(issuer.clone(), http)
        .await
        .map_err(|error| undiscovered(issuer, error))?;
    let login = provider.authorization_endpoint().url();
    if is_secure(login) {
        Ok(provider)
    } else {
        Err(bad_issuer(
            issuer,
            "its login page is neither https nor on this machine",
        ))
    }
}

/// The keys with which the provider signs now.
pub(super) async fn keys(
    provider: &CoreProviderMetadata,
    http: &Http,
) -> Result<CoreJsonWebKeySet, Failure> {
    CoreJsonWebKeySet::fetch_async(provider.jwks_uri(), http)
        .await
        .map_err(|error| undiscovered(provider.issuer(), error))
}

/// How a client with a secret shows it: in the header, as RFC 6749 section 2.3.1 prefers, unless the provider wants it
/// in the body.
pub(super) fn auth_type(provider: &CoreProviderMetadata) -> AuthType {
    let header_only = Vec::new();
    let ways = provider
        .token_endpoint_auth_methods_supported()
        .unwrap_or(&header_only);
    let takes = |way| ways.contains(&way);
    if takes(CoreClientAuthMethod::ClientSecretPost)
        && !takes(CoreClientAuthMethod::ClientSecretBasic)
    {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}

fn undiscovered(issuer: &IssuerUrl, error: DiscoveryError<TransportError>) -> Failure {
    match error {
        DiscoveryError::Request(error) => unreached(issuer, &error),
        DiscoveryError::Response(status, _, _) if status.is_server_error() => {
            offline(issuer, &format!("it answers {status}"))
        }
        DiscoveryError::Response(status, _, _) => bad_issuer(
            issuer,
            &format!("it has no OpenID Connect discovery document or no keys ({status})"),
        ),
        DiscoveryError::Validation(_) => bad_issuer(
            issuer,
            "it calls itself something else; each character counts, a slash at the end too",
        ),
        _ => bad_issuer(
            issuer,
            "its discovery document or its keys cannot be understood",
        ),
    }
}

/// Why the token endpoint gave no token (RFC 6749 section 5.2).
pub(super) fn no_token(
    issuer: &IssuerUrl,
    error: &CoreRequestTokenError<TransportError>,
) -> Failure {
    match error {
        CoreRequestTokenError::Request(error) => unreached(issuer, error),
        CoreRequestTokenError::ServerResponse(refusal) => match refusal.error() {
            CoreErrorResponseType::InvalidGrant => Failure::new(
                Exit::Input,
                "login_again",
                format!(
                    "{}: the login has expired or was made for another app: log in again",
                    at(issuer)
                ),
            ),
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                Failure::new(
                    Exit::Usage,
                    "bad_client",
                    format!(
                        "{} does not accept this app: check --client-id, and --client-secret-file if its installed \
                         apps have a secret",
                        at(issuer)
                    ),
                )
            }
            other => Failure::new(
                Exit::Refused,
                "refused",
                format!(
                    "{} gives no ID token: {}",
                    at(issuer),
                    plain(other.as_ref())
                ),
            ),
        },
        // What was sent may hold tokens, so it is not repeated.
        _ => misbehaved(issuer, "its answer cannot be understood"),
    }
}

/// The provider does what no provider should.
pub(super) fn misbehaved(issuer: &IssuerUrl, what: &str) -> Failure {
    Failure::new(
        Exit::Other,
        "provider_misbehaved",
        format!("{}: {what}", at(issuer)),
    )
}

fn unreached(issuer: &IssuerUrl, error: &TransportError) -> Failure {
    if error.is_transient() {
        offline(issuer, &error.to_string())
    } else {
        misbehaved(issuer, &error.to_string())
    }
}

fn offline(issuer: &IssuerUrl, why: &str) -> Failure {
    Failure::new(Exit::Offline, "offline", format!("{}: {why}", at(issuer)))
}

fn bad_issuer(issuer: &IssuerUrl, why: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        "bad_issuer",
        format!("{} cannot be used: {why}", at(issuer)),
    )
}

fn at(issuer: &IssuerUrl) -> String {
    format!("the login provider {}", issuer.as_str())
}

/// Text of a stranger, fit for a terminal: printable ASCII, at most 200 characters.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, ' '..='~'))
        .take(200)
        .collect()
}

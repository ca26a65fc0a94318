//! A login at an OpenID Connect provider in the user's browser: authorization code flow with PKCE (S256) through a
//! loopback redirect, as RFC 8252 wants it for installed apps.
//!
//! The nonce binds the ID token to the wallet's ephemeral key, so the token is of use in this login alone. Codes,
//! tokens, the client secret and the PKCE verifier are never shown. An interrupt leaves nothing behind but a page in
//! the browser that leads nowhere.

mod http;
mod provider;
mod redirect;
mod verify;

use std::time::Duration;

use openidconnect::core::{CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge, Scope,
};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use self::http::Http;
use self::redirect::Redirect;
use crate::args::{FactorAdd, Factors};
use crate::failure::{Exit, Failure};
use crate::secrets::Source;
use crate::ui::Ui;

/// How long the user may take in the browser.
const PATIENCE: Duration = Duration::from_secs(300);

/// Which provider, and as which client of it.
pub(super) struct BrowserLogin {
    issuer: IssuerUrl,
    client_id: ClientId,
    /// Of providers whose installed apps have one. It proves nothing: PKCE does.
    secret: Option<Source>,
    /// Beside `openid email`.
    scopes: Vec<String>,
    /// Whether to start the browser.
    start: bool,
    patience: Duration,
}

impl BrowserLogin {
    /// The login that opens the wallet; `None` where none in the browser is asked for.
    pub(super) fn of(given: &Factors) -> Option<Self> {
        let browser = &given.browser;
        let (issuer, client_id) = browser.issuer.clone().zip(browser.client_id.clone())?;
        Some(Self {
            issuer,
            client_id: ClientId::new(client_id),
            secret: Source::of(browser.client_secret_file.as_deref(), false),
            scopes: browser.scopes.clone(),
            start: !browser.no_browser,
            patience: browser.login_timeout.map_or(PATIENCE, Duration::from_secs),
        })
    }

    /// The login that is to become a factor.
    pub(super) fn of_new(arguments: &FactorAdd) -> Option<Self> {
        let new = &arguments.new_browser;
        let (issuer, client_id) = new.new_issuer.clone().zip(new.new_client_id.clone())?;
        let browser = &arguments.factors.browser;
        Some(Self {
            issuer,
            client_id: ClientId::new(client_id),
            secret: Source::of(new.new_client_secret_file.as_deref(), false),
            scopes: new.new_scopes.clone(),
            start: !browser.no_browser,
            patience: browser.login_timeout.map_or(PATIENCE, Duration::from_secs),
        })
    }

    /// Sends the user to the provider and comes back with an ID token that carries `nonce` and holds.
    ///
    /// # Errors
    /// The provider cannot be reached, is none, refuses the client or the user, signs another token than was asked
    /// for; or nobody logged in within the time limit.
    pub(super) async fn id_token(
        self,
        ui: Ui,
        nonce: String,
    ) -> Result<Zeroizing<String>, Failure> {
        let secret = self.secret(ui).await?;
        let http = Http::new()?;
        // Before the provider is asked: a redirect that cannot be taken is no reason to bother anybody.
        let redirect = Redirect::bind().await?;
        let provider = ui
            .busy(
                "finding the login provider",
                provider::discover(&self.issuer, &http),
            )
            .await?;
        let client =
            CoreClient::from_provider_metadata(provider.clone(), self.client_id.clone(), secret)
                .set_auth_type(provider::auth_type(&provider))
                .set_redirect_uri(redirect.url().clone());

        let (challenge, pkce) = PkceCodeChallenge::new_random_sha256();
        let (address, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new_random_len(32),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        self.send_user(ui, &address);
        let code = ui
            .busy(
                "waiting for the login in the browser",
                redirect.wait(state, &self.issuer, self.patience),
            )
            .await?;

        let answer = client
            .exchange_code(code)
            .map_err(|_| provider::misbehaved(&self.issuer, "it names no token endpoint"))?
            .set_pkce_verifier(pkce)
            .request_async(&http);
        let answer = ui
            .busy("fetching the ID token", answer)
            .await
            .map_err(|error| provider::no_token(&self.issuer, &error))?;
        // Only now: the user may have taken long enough for the provider to change its keys.
        let keys = provider::keys(&provider, &http).await?;
        verify::id_token(&answer, &self.issuer, &self.client_id, &nonce, keys)
    }

    async fn secret(&self, ui: Ui) -> Result<Option<ClientSecret>, Failure> {
        let Some(source) = self.secret.clone() else {
            return Ok(None);
        };
        let secret = tokio::task::spawn_blocking(move || source.read(ui, "client secret"))
            .await
            .map_err(|error| Failure::new(Exit::Other, "unexpected", error))??;
        Ok(Some(ClientSecret::new(secret.trim().to_owned())))
    }

    /// Shows the address in any case: the browser may be on another screen, or missing.
    fn send_user(&self, ui: Ui, address: &Url) {
        let how = if self.start {
            "Log in in your browser. If it does not open, go to:"
        } else {
            "Log in in a browser on this machine:"
        };
        ui.step(
            "browser",
            json!({ "url": address.as_str() }),
            format_args!("{how}\n{address}"),
        );
        if self.start {
            let address = address.to_string();
            // A browser in a terminal returns when it is closed, so nobody waits for it.
            tokio::task::spawn_blocking(move || {
                if webbrowser::open(&address).is_err() {
                    ui.note("no browser could be started: open the address yourself");
                }
            });
        }
    }
}

//! What a login grants.

use core::fmt;

use http::HeaderValue;
use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::wire::{LoginResponse, SessionToken};

/// A session with one account: 15 minutes at most, ended earlier when another device removes a factor.
#[derive(Clone)]
pub struct Session {
    account_id: AccountId,
    token: SessionToken,
    expires: u64,
}

impl Session {
    /// The session that a login or a creation opened.
    pub fn of(response: &LoginResponse) -> Self {
        Self {
            account_id: response.account_id,
            token: response.session.token.clone(),
            expires: response.session.expires,
        }
    }

    /// Whose session it is.
    pub fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// When it ends at the latest, in unix seconds by the server's clock.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// `Bearer …`, kept out of header dumps and HTTP/2 compression tables.
    pub(super) fn bearer(&self) -> HeaderValue {
        let text = zeroize::Zeroizing::new(format!("Bearer {}", self.token.expose_text().as_str()));
        // Base64url is always a legal header value.
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("account_id", &self.account_id)
            .field("token", &"redacted")
            .field("expires", &self.expires)
            .finish()
    }
}

//! From a request's path and headers to who asks for what.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use http::{HeaderMap, header};
use trefoil_protocol::bytes::{AccountId, MailboxId, SlotId};
use trefoil_protocol::pairing::{Role, Step};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::SessionToken;
use trefoil_store::{Caller, MailboxPlace, TokenHash};

use crate::guard;
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;
use crate::tenants::Offer;

/// The tenant that the path names, one that this server serves.
pub(crate) struct InTenant(pub(crate) Tenant);

impl FromRequestParts<Arc<MetadataServer>> for InTenant {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        let name = path_parameter(parts, server, "tenant").await?;
        let tenant = Tenant::new(&name).map_err(|_| Refusal::from(Code::UnknownTenant))?;
        if server.config.tenant(&tenant).is_none() {
            return Err(Code::UnknownTenant.into());
        }
        Ok(Self(tenant))
    }
}

/// A bearer of some session token who names an account. The store checks the session in the transaction of what it allows.
pub(crate) struct InSession(pub(crate) Caller);

impl FromRequestParts<Arc<MetadataServer>> for InSession {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        let InTenant(tenant) = InTenant::from_request_parts(parts, server).await?;
        let account_id: AccountId = path_parameter(parts, server, "account")
            .await?
            .parse()
            .map_err(|_| {
                Refusal::new(
                    Code::MalformedRequest,
                    "the path does not name an account id",
                )
            })?;
        let token = bearer(&parts.headers).ok_or_else(|| Refusal::from(Code::UnknownSession))?;
        Ok(Self(Caller {
            tenant,
            account_id,
            token,
            now: server.now(),
        }))
    }
}

/// The slot that the path names. Whether it is there, and whose it is, is seen when it is loaded.
pub(crate) struct OfSlot(pub(crate) SlotId);

impl FromRequestParts<Arc<MetadataServer>> for OfSlot {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        let named = path_parameter(parts, server, "slot").await?.parse();
        named
            .map(Self)
            .map_err(|_| Refusal::new(Code::MalformedRequest, "the path does not name a slot id"))
    }
}

impl OfSlot {
    /// What a body says must be about the slot that the path names.
    pub(crate) fn check(&self, body: SlotId) -> Answer<()> {
        if body == self.0 {
            Ok(())
        } else {
            Err(Refusal::new(
                Code::MalformedRequest,
                "the path names another slot than the body",
            ))
        }
    }
}

/// The mailbox that the path names, by whoever knows its name.
pub(crate) struct AtMailbox(pub(crate) MailboxPlace);

impl FromRequestParts<Arc<MetadataServer>> for AtMailbox {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        let InTenant(tenant) = InTenant::from_request_parts(parts, server).await?;
        guard::check_offered(server, &tenant, Offer::Mailboxes)?;
        let OfMailbox(id) = OfMailbox::from_request_parts(parts, server).await?;
        Ok(Self(MailboxPlace {
            tenant,
            id,
            now: server.now(),
        }))
    }
}

/// The mailbox id that the path names.
pub(crate) struct OfMailbox(pub(crate) MailboxId);

impl FromRequestParts<Arc<MetadataServer>> for OfMailbox {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        let named = path_parameter(parts, server, "mailbox").await?.parse();
        named.map(Self).map_err(|_| {
            Refusal::new(
                Code::MalformedRequest,
                "the path does not name a mailbox id",
            )
        })
    }
}

/// The place in a mailbox that the path names.
pub(crate) struct AtPlace {
    pub(crate) role: Role,
    pub(crate) step: u8,
}

impl FromRequestParts<Arc<MetadataServer>> for AtPlace {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        let role = path_parameter(parts, server, "role").await?;
        let role = [Role::Old, Role::New]
            .into_iter()
            .find(|known| known.as_str() == role);
        let step = path_parameter(parts, server, "step").await?;
        let mut steps = 1..=Step::LAST;
        let step = steps.find(|known| known.to_string() == step);
        match (role, step) {
            (Some(role), Some(step)) => Ok(Self { role, step }),
            _ => Err(Refusal::new(
                Code::MalformedRequest,
                "the path does not name a place of a mailbox",
            )),
        }
    }
}

async fn path_parameter(
    parts: &mut Parts,
    server: &Arc<MetadataServer>,
    name: &str,
) -> Answer<String> {
    let malformed = || {
        Refusal::new(
            Code::MalformedRequest,
            "the path is not of the expected form",
        )
    };
    let parameters = RawPathParams::from_request_parts(parts, server)
        .await
        .map_err(|_| malformed())?;
    parameters
        .iter()
        .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        .ok_or_else(malformed)
}

/// RFC 6750 section 2.1.
fn bearer(headers: &HeaderMap) -> Option<TokenHash> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    SessionToken::parse(token.trim())
        .ok()
        .map(|token| TokenHash::of(&token))
}

/// The revision in `If-Match: "<revision>"` (RFC 9110 section 13.1.1): one strong entity tag.
pub(crate) fn if_match(headers: &HeaderMap) -> Answer<u64> {
    let malformed = || {
        Refusal::new(
            Code::MalformedRequest,
            "If-Match must be one revision in double quotes, such as \"7\"",
        )
    };
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let value = values
        .next()
        .ok_or_else(|| Refusal::from(Code::PreconditionRequired))?;
    if values.next().is_some() {
        return Err(malformed());
    }
    let digits = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"'))
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(malformed)?;
    digits.parse().map_err(|_| malformed())
}

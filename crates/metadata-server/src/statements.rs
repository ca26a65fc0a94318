//! Statements: signature, server, tenant, time; the request id is used up in the transaction of what was asked.

use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::{Context, SignedStatement, Statement, StatementBody, WINDOW};
use trefoil_protocol::tenant::Tenant;
use trefoil_store::{Caller, StatementUse};

use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

/// A statement whose signature, server, tenant and time hold.
pub(crate) fn verify(
    server: &MetadataServer,
    tenant: &Tenant,
    now: u64,
    signed: &SignedStatement,
) -> Answer<(Statement, StatementUse)> {
    let context = Context {
        aud: &server.config.public_url,
        tenant,
        now,
    };
    let statement = signed
        .verify(context)
        .map_err(|error| Refusal::statement(error, now))?;
    let usage = StatementUse {
        request_id: statement.request_id,
        remember_until: statement.time.saturating_add(WINDOW),
    };
    Ok((statement, usage))
}

/// A statement by the account's own key. `names` takes the account id from a body of the expected type.
pub(crate) fn by_account(
    server: &MetadataServer,
    caller: &Caller,
    signed: &SignedStatement,
    names: impl FnOnce(&StatementBody) -> Option<AccountId>,
) -> Answer<StatementUse> {
    let (statement, usage) = verify(server, &caller.tenant, caller.now, signed)?;
    let account_id = names(&statement.body).ok_or_else(wrong_type)?;
    // The id is the hash of the account's key, so no record has to be read to know that key.
    if account_id != caller.account_id || AccountId::of(&statement.key) != caller.account_id {
        return Err(Refusal::new(
            Code::WrongKey,
            "the statement must name this account and be signed by its own key",
        ));
    }
    Ok(usage)
}

pub(crate) fn wrong_type() -> Refusal {
    Refusal::new(
        Code::MalformedRequest,
        "the statement is of another type than this call needs",
    )
}

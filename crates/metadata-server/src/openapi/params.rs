//! What stands in paths and headers.

use trefoil_protocol::bytes::{AccountId, MailboxId, SlotId};
use trefoil_protocol::pairing::{Role, Step};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, Required};
use utoipa::{IntoParams, PartialSchema as _};

fn in_path(name: &str, description: &str, schema: RefOr<Schema>) -> Parameter {
    parameter(name, ParameterIn::Path, description, schema)
}

fn parameter(
    name: &str,
    place: ParameterIn,
    description: &str,
    schema: RefOr<Schema>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn pattern(pattern: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).build().into()
}

fn tenant() -> Parameter {
    let schema = pattern("^[a-z0-9-]{1,64}$");
    in_path("tenant", "the name space of accounts", schema)
}

fn account() -> Parameter {
    in_path("account", "the account's id", AccountId::schema())
}

fn slot() -> Parameter {
    in_path("slot", "the slot's id", SlotId::schema())
}

fn mailbox() -> Parameter {
    in_path("mailbox", "the mailbox's id", MailboxId::schema())
}

fn role() -> Parameter {
    in_path("role", "which side's message", Role::schema())
}

fn step() -> Parameter {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let number = number.minimum(Some(1_u8)).maximum(Some(Step::LAST));
    in_path("step", "which of its messages", number.build().into())
}

fn if_match() -> Parameter {
    let description = "the revision that the commit replaces, in double quotes";
    let schema = pattern("^\"[0-9]{1,19}\"$");
    parameter("If-Match", ParameterIn::Header, description, schema)
}

macro_rules! params {
    ($($name:ident: $($parameter:ident),+;)*) => {$(
        /// See its name.
        pub(crate) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$($parameter()),+]
            }
        }
    )*};
}

params! {
    TenantPath: tenant;
    AccountPath: tenant, account;
    AccountSlotPath: tenant, account, slot;
    AccountMailboxPath: tenant, account, mailbox;
    SlotPath: tenant, slot;
    MailboxPath: tenant, mailbox;
    PlacePath: tenant, mailbox, role, step;
    IfMatch: if_match;
}

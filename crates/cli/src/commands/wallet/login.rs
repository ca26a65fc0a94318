//! `trefoil wallet login`.

use serde_json::{Value, json};
use trefoil::{Account, MfaPrompt, NewAccount, Opened};
use zeroize::{Zeroize as _, Zeroizing};

use super::opening::{self, Outcome};
use super::setup::Setup;
use crate::args::Login;
use crate::failure::{Exit, Failure};
use crate::secrets::Source;

pub(crate) async fn run(setup: &Setup, arguments: Login) -> Result<(), Failure> {
    let ui = setup.ui;
    let source = Source::of(arguments.import_key_file.as_deref(), false);
    let imported = source.map(|source| read_key(&source, setup)).transpose()?;
    let (account, created) = match opening::log_in(setup, &arguments.factors).await? {
        (_, _, Outcome::Open(_)) if imported.is_some() => {
            let message = "this login has a wallet already, so the key was not imported";
            return Err(Failure::new(Exit::Refused, "account_exists", message));
        }
        (_, _, Outcome::Open(account)) => (*account, false),
        (_, _, Outcome::New(_)) if arguments.existing => return Err(opening::no_account()),
        (_, _, Outcome::New(new)) if !new.can_create() => return Err(opening::no_account()),
        (_, _, Outcome::New(new)) => (
            ui.busy("creating the wallet", create(*new, imported))
                .await?,
            true,
        ),
        (_, _, Outcome::RolledBack(old, _)) => return Err(opening::rolled_back(&old)),
    };
    let prompt = match account.mfa_prompt() {
        MfaPrompt::None => "none",
        MfaPrompt::Optional => "optional",
        MfaPrompt::Required => "required",
    };
    let mut fields = opening::shown(&account);
    if let Value::Object(fields) = &mut fields {
        fields.insert("created".to_owned(), json!(created));
        fields.insert("logins".to_owned(), json!(account.logins()));
        fields.insert("mfa_prompt".to_owned(), json!(prompt));
    }
    ui.step("login", fields, human(&account, created));
    Ok(())
}

async fn create(
    new: NewAccount,
    imported: Option<Zeroizing<[u8; 32]>>,
) -> Result<Account, Failure> {
    let opened = match imported {
        Some(key) => new.import(&key).await?,
        None => new.create().await?,
    };
    match opened {
        Opened::Ready(account) => Ok(account),
        _ => Err(Failure::new(
            Exit::Conflict,
            "account_changed",
            "another device was faster: log in again",
        )),
    }
}

fn read_key(source: &Source, setup: &Setup) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let text = source.read(setup.ui, "private key")?;
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let mut key = Zeroizing::new([0; 32]);
    if hex::decode_to_slice(digits, key.as_mut_slice()).is_err() {
        key.zeroize();
        return Err(Failure::new(
            Exit::Input,
            "not_a_key",
            "a private key has 64 hexadecimal digits",
        ));
    }
    Ok(key)
}

fn human(account: &Account, created: bool) -> String {
    let address = account.ethereum_address();
    let mut text = if created {
        format!("Your new wallet: {address}")
    } else {
        format!("Welcome back. Your wallet: {address}")
    };
    match account.mfa_prompt() {
        MfaPrompt::None => {}
        MfaPrompt::Optional => {
            text.push_str("\nIt opens with this login alone. `trefoil wallet mfa enable` spreads it over several factors.");
        }
        MfaPrompt::Required => {
            text.push_str("\nNo factor is spare: losing one would lose the wallet. `trefoil wallet factor add phrase` adds one.");
        }
    }
    text
}

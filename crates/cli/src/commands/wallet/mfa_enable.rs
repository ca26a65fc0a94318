//! `trefoil wallet mfa enable`: this device and a recovery phrase join the login; the address stays.

use serde_json::{Value, json};
use trefoil::WordCount;

use super::setup::Setup;
use super::{opening, words};
use crate::args::{MfaEnable, Words};
use crate::failure::{Exit, Failure};

pub(crate) async fn run(setup: &Setup, arguments: MfaEnable) -> Result<(), Failure> {
    let ui = setup.ui;
    let (_, _, mut account) = opening::open(setup, &arguments.factors).await?;
    if account.mfa_is_on() {
        return Err(Failure::new(
            Exit::Refused,
            "mfa_is_on",
            "MFA is on already; `trefoil wallet factor add` adds factors",
        ));
    }
    let mut upgrade = account.enable_mfa();
    upgrade
        .device(arguments.device_label)?
        .recovery_phrase_of(arguments.phrase_label, arguments.words.into())?;
    let new = upgrade.recovery_phrase_words().unwrap_or_default();
    let typed = words::drill(setup, &arguments.drill, "recovery phrase", &new)?;
    upgrade.prove_recovery_phrase(&typed)?;
    ui.busy("turning MFA on", upgrade.commit()).await?;

    let mut fields = opening::shown(&account);
    if let Value::Object(fields) = &mut fields {
        fields.insert("kinds".to_owned(), kinds(&account));
        fields.insert("nonce".to_owned(), json!("deleted"));
    }
    let human = format!(
        "MFA is on. Any {} of your {} factors open the wallet; it is still {}.",
        account.threshold(),
        account.factors().len(),
        account.ethereum_address()
    );
    ui.step("mfa_enable", fields, human);
    Ok(())
}

fn kinds(account: &trefoil::Account) -> Value {
    account
        .factors()
        .iter()
        .map(|note| Value::from(note.kind.as_str()))
        .collect()
}

impl From<Words> for WordCount {
    fn from(words: Words) -> Self {
        match words {
            Words::Twelve => Self::Twelve,
            Words::TwentyFour => Self::TwentyFour,
        }
    }
}

//! `trefoil wallet factor add`.

use serde_json::json;
use trefoil::{Account, Draft, FactorKind};

use super::browser::BrowserLogin;
use super::opening::{self, IdTokenSource};
use super::setup::Setup;
use super::{factor_list, knowledge, words};
use crate::args::{FactorAdd, NewFactor};
use crate::failure::{Exit, Failure};
use crate::secrets::Source;

pub(crate) async fn run(setup: &Setup, arguments: FactorAdd) -> Result<(), Failure> {
    let ui = setup.ui;
    let social = new_login(&arguments)?;
    let (app, trefoil, mut account) = opening::open(setup, &arguments.factors).await?;
    one_of_a_kind(&account, arguments.kind)?;
    let known: Vec<u32> = account.factors().iter().map(|note| note.index).collect();
    let label = |default: &str| {
        arguments
            .label
            .clone()
            .unwrap_or_else(|| default.to_owned())
    };

    let know = |kind, default: &str, change: &mut Draft<'_>| {
        let label = label(default);
        knowledge::draft(
            setup,
            change,
            kind,
            &arguments.new_knowledge,
            (&label, None),
        )
    };
    let mut change = account.change();
    match arguments.kind {
        NewFactor::Device => {
            change.device(label("this computer"))?;
        }
        NewFactor::Phrase => {
            change.recovery_phrase_of(label("recovery phrase"), arguments.words.into())?;
            let new = change.recovery_phrase_words().unwrap_or_default();
            let typed = words::drill(setup, &arguments.drill, "recovery phrase", &new)?;
            change.prove_recovery_phrase(&typed)?;
        }
        NewFactor::DappShare => {
            change.dapp_share(label("dApp share"))?;
            let new = change.dapp_share_words().unwrap_or_default();
            let typed = words::drill(setup, &arguments.drill, "dApp share", &new)?;
            change.prove_dapp_share(&typed)?;
        }
        NewFactor::Password => know(FactorKind::Password, "password", &mut change)?,
        NewFactor::Pin => know(FactorKind::Pin, "PIN", &mut change)?,
        NewFactor::Questions => {
            know(
                FactorKind::SecurityQuestions,
                "security questions",
                &mut change,
            )?;
        }
        NewFactor::Social => {
            let verifier = app.verifier(arguments.new_verifier.as_ref())?;
            if let Some(source) = social {
                let login = opening::new_social(ui, &trefoil, verifier, source).await?;
                change.social(label(verifier.id.as_str()), login)?;
            }
            if arguments.accept_one_identity {
                change.accept_one_identity()?;
            }
        }
    }
    ui.busy("adding the factor", change.commit()).await?;

    let added = account
        .factors()
        .iter()
        .find(|note| !known.contains(&note.index));
    ui.step(
        "factor_add",
        json!({
            "factor": added.map(factor_list::shown),
            "threshold": account.threshold(),
            "factors": account.factors().len(),
            "revision": account.revision(),
            "epoch": account.epoch(),
        }),
        format!(
            "Added. Any {} of your {} factors open the wallet.",
            account.threshold(),
            account.factors().len()
        ),
    );
    Ok(())
}

/// Whoever opens by what they know says which kind it is and not which one: a second PIN could not be used here.
fn one_of_a_kind(account: &Account, new: NewFactor) -> Result<(), Failure> {
    let kind = match new {
        NewFactor::Password => FactorKind::Password,
        NewFactor::Pin => FactorKind::Pin,
        NewFactor::Questions => FactorKind::SecurityQuestions,
        _ => return Ok(()),
    };
    let mut factors = account.factors().iter();
    match factors.find(|note| note.kind == kind) {
        None => Ok(()),
        Some(there) => {
            let index = there.index;
            let message = format!(
                "the wallet has a {kind} already: `trefoil wallet factor change {index}` puts another in its place"
            );
            Err(Failure::new(Exit::Refused, "not_allowed", message))
        }
    }
}

/// Checked before anybody logs in for nothing.
fn new_login(arguments: &FactorAdd) -> Result<Option<IdTokenSource>, Failure> {
    if arguments.kind != NewFactor::Social {
        return Ok(None);
    }
    let user = arguments.new_dev_user.clone().map(IdTokenSource::DevUser);
    let given =
        || Source::of(arguments.new_id_token_file.as_deref(), false).map(IdTokenSource::Given);
    let browser = || BrowserLogin::of_new(arguments).map(IdTokenSource::browser);
    let source = user.or_else(given).or_else(browser);
    let missing = "say how the new social login is made: --new-issuer URL and --new-client-id ID, \
                   --new-id-token-file FILE or --new-dev-user NAME";
    source.map(Some).ok_or_else(|| Failure::usage(missing))
}

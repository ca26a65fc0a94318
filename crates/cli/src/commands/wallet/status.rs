//! `trefoil wallet status`: what this device knows, without asking anybody.

use serde_json::{Value, json};
use trefoil::Tenant;
use trefoil::device::{DeviceAccount, DeviceState, DeviceStore as _};

use super::setup::Setup;
use crate::args::Status;
use crate::failure::Failure;

pub(crate) fn run(setup: &Setup, arguments: &Status) -> Result<(), Failure> {
    let devices = setup.devices()?;
    if arguments.restore_device {
        devices.restore_previous()?;
        setup
            .ui
            .note("the previous copy is in place; the damaged file is kept beside it");
    }
    let state = devices.read()?;
    let accounts: Vec<(Value, String)> = state
        .accounts()
        .filter(|(id, _)| !state.is_contact_only(id))
        .map(|(id, account)| shown(&state, &id.to_string(), account))
        .collect();
    let contacts: Vec<(Value, String)> = state
        .accounts()
        .filter_map(|(id, account)| contact_of(&state, &id.to_string(), account.tenant()))
        .collect();
    let texts: Vec<&str> = accounts
        .iter()
        .chain(&contacts)
        .map(|(_, text)| text.as_str())
        .collect();
    let human = if texts.is_empty() {
        format!(
            "This device knows no wallet yet ({}).",
            devices.path().display()
        )
    } else {
        texts.join("\n")
    };
    let contacts: Vec<&Value> = contacts.iter().map(|(value, _)| value).collect();
    let accounts: Vec<&Value> = accounts.iter().map(|(value, _)| value).collect();
    setup.ui.step(
        "status",
        json!({ "device_file": devices.path().display().to_string(), "accounts": accounts, "contact_of": contacts }),
        human,
    );
    Ok(())
}

/// Whose account it is, where this device is its trusted contact.
fn contact_of(state: &DeviceState, id: &str, tenant: &Tenant) -> Option<(Value, String)> {
    let mut secrets = state.secrets(tenant);
    let secret = secrets
        .find(|secret| secret.account_id().to_string() == id && secret.contact_of().is_some())?;
    let whose = secret.contact_of()?;
    let value = json!({ "account": id, "tenant": tenant, "owner": whose });
    let text = format!("Trusted contact of \u{201c}{whose}\u{201d} (account {id} of {tenant})");
    Some((value, text))
}

fn shown(state: &DeviceState, id: &str, known: &DeviceAccount) -> (Value, String) {
    let tenant: &Tenant = known.tenant();
    let record = known.record().verify(tenant).ok();
    let own = state
        .secrets(tenant)
        .find(|secret| secret.account_id().to_string() == id && secret.contact_of().is_none());
    let device = match own {
        Some(secret) if secret.pending_since().is_some() => "pending",
        Some(_) => "factor",
        None => "none",
    };
    let value = json!({
        "account": id,
        "tenant": tenant,
        "revision": known.revision(),
        "custody": record.as_ref().map(|record| record.custody),
        "threshold": record.as_ref().map(|record| record.threshold),
        "factors": record.as_ref().map(|record| record.factors.len()),
        "epoch": record.as_ref().map(|record| record.epoch),
        "device": device,
        "dont_ask_mfa": known.dont_ask_mfa(),
    });
    let opens = match &record {
        Some(record) => format!("{} of {} factors", record.threshold, record.factors.len()),
        None => "its record here is damaged".to_owned(),
    };
    let device = match device {
        "factor" => "this device is one of them",
        "pending" => "this device may be one of them: open the wallet to see",
        _ => "this device is not one of them",
    };
    (
        value,
        format!(
            "Account {id} of {tenant}: revision {}, opens with {opens}; {device}",
            known.revision()
        ),
    )
}

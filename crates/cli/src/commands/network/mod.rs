//! `trefoil network …`: making, refreshing and moving the key of a node network, and
//! looking after its nodes. One file per command.

mod approve;
mod backup;
mod carry_out;
mod dealer;
mod keygen;
mod keys;
mod move_key;
mod refresh;
mod restore;
mod status;

use trefoil::SignedManifest;
use trefoil_client::Environment;
use trefoil_client::HttpTransport;
use trefoil_client::ceremony::{Coordinator, Member};
use trefoil_protocol::social::VerifiedManifest;

use crate::args::Network;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, command: Network) -> Result<(), Failure> {
    match command {
        Network::Dealer(arguments) => dealer::run(ui, &arguments),
        Network::NewKey(arguments) => keys::run(ui, &arguments),
        Network::Keygen(arguments) => keygen::run(ui, &arguments).await,
        Network::Refresh(arguments) => refresh::run(ui, &arguments).await,
        Network::Move(arguments) => move_key::run(ui, &arguments).await,
        Network::Approve(arguments) => approve::run(ui, &arguments),
        Network::Backup(arguments) => backup::run(ui, &arguments).await,
        Network::Restore(arguments) => restore::run(ui, &arguments).await,
        Network::Status(arguments) => status::run(ui, &arguments).await,
    }
}

/// The coordinator whose key lies in this file.
fn coordinator(key_file: &std::path::Path) -> Result<Coordinator, Failure> {
    let key = keys::read(key_file)?;
    let transport =
        HttpTransport::new().map_err(|error| Failure::new(Exit::Other, "unexpected", error))?;
    Ok(Coordinator::new(
        std::sync::Arc::new(transport),
        key.identity().clone(),
        Environment::system(),
    ))
}

/// A manifest that the operator has: it tells which network is meant and where its nodes were.
fn read_manifest(path: &std::path::Path) -> Result<VerifiedManifest, Failure> {
    let bad = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Input,
            "bad_manifest",
            format!("{}: {error}", path.display()),
        )
    };
    let signed: SignedManifest =
        serde_json::from_str(&files::read(path)?).map_err(|error| bad(&error))?;
    signed.trust_pinned().map_err(|error| bad(&error))
}

/// `URL` or `URL#IDENTITY_KEY`.
fn member(text: &str) -> Result<Member, Failure> {
    let Some((url, key)) = text.split_once('#') else {
        return Ok(Member {
            url: text.to_owned(),
            identity_key: None,
        });
    };
    let key = key.parse().map_err(|_| {
        Failure::usage(format!(
            "{text}: what follows the # is no identity key, as `trefoil network new-key` shows it"
        ))
    })?;
    Ok(Member {
        url: url.to_owned(),
        identity_key: Some(key),
    })
}

fn members(texts: &[String]) -> Result<Vec<Member>, Failure> {
    texts.iter().map(|text| member(text)).collect()
}

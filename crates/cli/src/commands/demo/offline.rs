//! The recovery kit opens the wallet with every server stopped.

use serde_json::json;
use trefoil::{RecoveryKit, open_kit};

use super::factors::{Kept, open_on_own_device};
use super::{User, broken};
use crate::failure::Failure;
use crate::local::NodeProcesses;
use crate::ui::Ui;

/// The kit, as it is kept on paper or a disk: fetched while there is a server.
pub(super) async fn kit(user: &User) -> Result<String, Failure> {
    let account = open_on_own_device(user).await?;
    Ok(account.recovery_kit().await?.to_text())
}

/// Stops everything that listens, then opens the kit with factors that need no server.
pub(super) async fn recover(
    ui: Ui,
    mut user: User,
    mut nodes: NodeProcesses,
    kept: Kept,
    kit: &str,
) -> Result<(), Failure> {
    let addresses = user.network.addresses();
    nodes.kill(usize::MAX).await?;
    user.network.stop().await;
    for address in addresses {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Err(broken(format_args!("{address} still answers")));
        }
    }
    let kit = RecoveryKit::parse(kit)?;
    let (names, factors): (Vec<_>, Vec<_>) = kept.factors.into_iter().unzip();
    let wallet = open_kit(&kit, factors)?;
    let address = wallet.ethereum_address().to_string();
    if address != user.address {
        return Err(broken("the address has changed"));
    }
    ui.step(
        "recover_offline",
        json!({ "factors": names, "address": address }),
        format!(
            "Offline        {address}\n               every server is stopped; recovery kit + {}",
            names.join(" + ")
        ),
    );
    Ok(())
}

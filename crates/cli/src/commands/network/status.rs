//! `trefoil network status`: where each node stands.

use futures::future::join_all;
use serde_json::json;
use trefoil_client::ceremony::Coordinator;
use trefoil_client::{Environment, HttpTransport};
use trefoil_protocol::social::NodeKey;

use super::read_manifest;
use crate::args::NetworkStatus;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: &NetworkStatus) -> Result<(), Failure> {
    let mut urls = arguments.nodes.clone();
    if let Some(path) = &arguments.manifest {
        let manifest = read_manifest(path)?;
        urls.extend(manifest.nodes().iter().map(|node| node.url.clone()));
    }
    let environment = Environment::system();
    let transport =
        HttpTransport::new().map_err(|error| Failure::new(Exit::Other, "unexpected", error))?;
    // Asking needs no key; this one signs nothing.
    let key = NodeKey::random(&mut environment.rng()).identity().clone();
    let coordinator = Coordinator::new(std::sync::Arc::new(transport), key, environment);
    let answers = join_all(urls.iter().map(|url| coordinator.status(url))).await;
    let mut silent = 0;
    for (url, answer) in urls.iter().zip(answers) {
        match answer {
            Ok(status) => {
                let ceremony = status.plan.as_ref().and_then(|plan| plan.verify().ok());
                ui.step(
                    "node",
                    json!({
                        "url": url,
                        "identity_key": status.identity_key,
                        "network": status.network,
                        "epochs": status.epochs,
                        "ceremony": ceremony.as_ref().map(|plan| plan.ceremony()),
                        "signed_next": status.signed.is_some(),
                    }),
                    format!(
                        "{url}  {}  epochs {:?}{}",
                        status.identity_key,
                        status.epochs,
                        if ceremony.is_some() {
                            ", in a ceremony"
                        } else {
                            ""
                        }
                    ),
                );
            }
            Err(error) => {
                silent += 1;
                ui.step(
                    "node",
                    json!({ "url": url, "error": error.to_string() }),
                    format!("{error}"),
                );
            }
        }
    }
    if silent == 0 {
        Ok(())
    } else {
        let message = format!(
            "{silent} of {} nodes do not say where they stand",
            urls.len()
        );
        Err(Failure::new(Exit::Offline, "offline", message))
    }
}

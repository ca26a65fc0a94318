//! `trefoil network dealer`: all keys of a network in one place, for development.

use serde_json::json;
use trefoil::Environment;
use trefoil_protocol::social::deal_network;

use crate::args::Dealer;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

pub(crate) fn run(ui: Ui, arguments: &Dealer) -> Result<(), Failure> {
    let dealt = deal_network(
        &arguments.nodes,
        arguments.threshold,
        &mut Environment::system().rng(),
    )
    .map_err(|error| Failure::usage(format!("such a network cannot be made: {error}")))?;
    files::private_directory(&arguments.out)?;
    let manifest_path = arguments.out.join("manifest.json");
    let secret_path = |index: u16| arguments.out.join(format!("node-{index}.secret.json"));
    let key_path = |index: u16| arguments.out.join(format!("node-{index}.key"));
    let paths = dealt
        .nodes
        .iter()
        .map(|node| secret_path(node.index().get()));
    if let Some(taken) = paths
        .chain([manifest_path.clone()])
        .find(|path| path.exists())
    {
        let message = format!(
            "{} exists already and is not overwritten: name an empty directory",
            taken.display()
        );
        return Err(Failure::new(Exit::Usage, "file_exists", message));
    }
    let mut files_written = Vec::new();
    for node in &dealt.nodes {
        let path = secret_path(node.index().get());
        files::write_new_private(&path, &node.expose_json())?;
        // For a node that is to keep what later ceremonies give it.
        let key_path = key_path(node.index().get());
        files::write_new_private(&key_path, &node.key().expose_json())?;
        files_written.push(path.display().to_string());
    }
    let text = serde_json::to_string(&dealt.manifest).map_err(|error| {
        Failure::new(
            Exit::Other,
            "unexpected",
            format!("cannot write the manifest: {error}"),
        )
    })?;
    // Last, so that a manifest is never without its nodes' secrets.
    files::write(&manifest_path, &text)?;
    let (nodes, threshold) = (arguments.nodes.len(), arguments.threshold);
    ui.step(
        "dealt",
        json!({
            "nodes": nodes,
            "threshold": threshold,
            "manifest": manifest_path.display().to_string(),
            "secrets": files_written,
        }),
        format!(
            "Made a network of {nodes} nodes, {threshold} of which must answer.\n\
             Manifest:  {}\n\
             Secrets:   {}\n\
             Whoever has seen {threshold} of the secret files has the network: give each to its node and erase it here.",
            manifest_path.display(),
            files_written.join("\n           "),
        ),
    );
    Ok(())
}

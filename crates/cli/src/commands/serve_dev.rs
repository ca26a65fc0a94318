//! `trefoil serve dev`: everything in one process, with data that stay.

use serde_json::json;

use crate::args::ServeDev;
use crate::failure::Failure;
use crate::local::{APP_FILE, LocalNetwork, StopSignal};
use crate::ui::Ui;

pub(crate) async fn run(ui: Ui, arguments: ServeDev) -> Result<(), Failure> {
    crate::serving::log(ui);
    let starting = LocalNetwork::start(&arguments.data, &arguments.tenant, arguments.size);
    let network = ui.busy("starting the servers", starting).await?;
    let file = arguments.data.join(APP_FILE);
    let file = std::path::absolute(&file)
        .unwrap_or(file)
        .display()
        .to_string();
    let app = &network.app;
    let manifest = app.manifest.trust_pinned().ok();
    let nodes: Vec<&str> = manifest
        .iter()
        .flat_map(|manifest| manifest.nodes())
        .map(|node| node.url.as_str())
        .collect();
    let providers: Vec<_> = network
        .providers
        .iter()
        .map(|(id, provider)| json!({ "verifier": id, "issuer": provider.issuer(), "dev_token_url": provider.dev_token_url() }))
        .collect();
    let logins: Vec<String> = network
        .providers
        .iter()
        .map(|(id, provider)| format!("{id} at {}", provider.issuer()))
        .collect();
    let stop = StopSignal::listen()?;
    ui.step(
        "serving",
        json!({
            "metadata_url": app.metadata_url,
            "nodes": nodes,
            "tenant": app.tenant,
            "providers": providers,
            "network_file": file,
        }),
        format!(
            "Metadata server  {}\n\
             Nodes            {}\n\
             Logins           {}\n\
             Network file     {file}\n\n\
             Try it:  trefoil wallet --network {file} login --dev-user alice\n\
             For development only: anybody on this machine can log in as anybody. Ctrl-C stops it; the data stay.",
            app.metadata_url,
            nodes.join("\n                 "),
            logins.join("\n                 "),
        ),
    );
    stop.wait().await;
    ui.note("stopped");
    Ok(())
}

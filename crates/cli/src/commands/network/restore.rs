//! `trefoil network restore`: a node again from its backup, on an empty machine; and whether the network still knows its
//! share.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use trefoil_client::ceremony::fetch_manifests_after;
use trefoil_client::{Environment, HttpTransport};
use trefoil_node::{Backup, Passphrase, RestoredNode};
use trefoil_protocol::social::VerifiedManifest;
use trefoil_store::SqliteNodeStore;

use super::backup::PASSPHRASE;
use crate::args::NodeRestore;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::secrets::Source;
use crate::ui::Ui;

/// A manifest of 64 nodes has some 50 KB, and a node keeps one for each epoch.
const MAX_BACKUP: u64 = 64 * 1024 * 1024;
/// For which another node is asked where the network stands: the restored node works without their word.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(ui: Ui, arguments: &NodeRestore) -> Result<(), Failure> {
    let (data, key_file) = (&arguments.data, &arguments.key_file);
    check_free(data, key_file)?;
    let backup = Backup::from_json(files::read_at_most(&arguments.backup, MAX_BACKUP)?.as_bytes())?;
    let source = Source::of(arguments.passphrase_file.as_deref(), true);
    let text = source.unwrap_or(Source::Prompt).read(ui, PASSPHRASE)?;
    let passphrase = Passphrase::new(&text)?;
    let opening = tokio::task::spawn_blocking(move || backup.open(&passphrase));
    let opened = ui.busy("opening the backup", opening).await;
    let node = opened.map_err(|error| Failure::new(Exit::Other, "unexpected", error))??;
    put(&node, data, key_file).await?;

    let newest = ui.busy("asking the network", newest_manifest(&node)).await;
    let known = node.manifest().epoch();
    let network = newest
        .as_ref()
        .map_or(known, |newest| newest.epoch().max(known));
    let (share, asked) = (node.newest_share(), newest.is_some());
    let outdated = network > share;
    let is_member = newest
        .as_ref()
        .unwrap_or(node.manifest())
        .place_of(&node.key().identity_key())
        .is_some();
    let advice = if outdated {
        let way = if is_member {
            "`trefoil network refresh`"
        } else {
            "`trefoil network move`, since it is no member any more"
        };
        format!(
            "The network is in epoch {network}, and this backup's newest share is of epoch {share}: this backup cannot serve \
             any more. Start the node; it gets a new share by {way}."
        )
    } else if asked {
        format!("The network is still in epoch {network}, as this backup is: start the node.")
    } else {
        format!(
            "No other node could be asked where the network stands. If it has moved on from epoch {share}, the node needs a \
             new share by `trefoil network refresh` once it runs."
        )
    };
    ui.step(
        "restored",
        json!({
            "identity_key": node.key().identity_key(),
            "network": node.manifest().network(),
            "share_epoch": share,
            "network_epoch": asked.then_some(network),
            "outdated": outdated,
            "member": is_member,
        }),
        format!(
            "Node {} is restored: key file {}, data {}.\n{advice}",
            node.key().identity_key(),
            key_file.display(),
            data.display()
        ),
    );
    Ok(())
}

/// Nothing is overwritten: what lies there may be newer than the backup, or be in use.
fn check_free(data: &Path, key_file: &Path) -> Result<(), Failure> {
    let taken = |path: &Path, what: &str| {
        let message = format!(
            "{} exists already and is not overwritten: {what}",
            path.display()
        );
        Err(Failure::new(Exit::Usage, "file_exists", message))
    };
    if key_file.exists() {
        return taken(key_file, "name another key file, or move this one away");
    }
    // An empty one may be the mount point of a volume.
    let is_empty = || std::fs::read_dir(data).is_ok_and(|mut files| files.next().is_none());
    if data.exists() && !is_empty() {
        return taken(
            data,
            "name another directory; if a node runs in this one, it needs no restoring",
        );
    }
    Ok(())
}

/// The state first: a key file without it would start a node that believes it never had a share.
async fn put(node: &RestoredNode, data: &Path, key_file: &Path) -> Result<(), Failure> {
    files::private_directory(data)?;
    let directory = data.to_owned();
    let store = tokio::task::spawn_blocking(move || SqliteNodeStore::open(directory))
        .await
        .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?
        .map_err(|error| {
            let message = format!("the database in {}: {error}", data.display());
            Failure::new(Exit::Other, "store", message)
        })?;
    node.store(&store, &mut Environment::system().rng()).await?;
    drop(store);
    files::write_new_private(key_file, &node.key().expose_json()).map_err(|failure| {
        let message = format!(
            "{}; remove {} before you try again",
            failure.message(),
            data.display()
        );
        Failure::new(failure.exit(), failure.code(), message)
    })
}

/// The newest manifest that another node shows and that follows from the backup's; none where nobody answers.
async fn newest_manifest(node: &RestoredNode) -> Option<VerifiedManifest> {
    let known = node.manifest();
    let transport = HttpTransport::new().ok()?;
    let own = node.key().identity_key();
    let others = known
        .nodes()
        .iter()
        .filter(|other| other.identity_key != own);
    let asked =
        others.map(|other| tokio::time::timeout(PATIENCE, follow(&transport, &other.url, known)));
    let answers = join_all(asked).await.into_iter().flatten().flatten();
    answers.max_by_key(VerifiedManifest::epoch)
}

async fn follow(
    transport: &HttpTransport,
    url: &str,
    known: &VerifiedManifest,
) -> Option<VerifiedManifest> {
    let mut newest = known.clone();
    // A node gives some at a time.
    loop {
        let answer = fetch_manifests_after(transport, url, newest.epoch()).await;
        let chain = match answer {
            Ok(chain) => chain,
            Err(trouble) => {
                tracing::debug!(%trouble, "a node does not say where the network stands");
                return (newest.epoch() > known.epoch()).then_some(newest);
            }
        };
        match newest.follow(&chain) {
            Ok(Some(next)) if next.epoch() > newest.epoch() => newest = next,
            Ok(_) => return Some(newest),
            Err(error) => {
                tracing::debug!(%error, from = url, "a node serves manifests that do not follow");
                return None;
            }
        }
    }
}

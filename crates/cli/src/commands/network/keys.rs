//! `trefoil network new-key`: the lasting key of a node, or of a coordinator.

use std::path::Path;

use serde_json::json;
use trefoil_client::Environment;
use trefoil_protocol::social::NodeKey;

use crate::args::NewKey;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

pub(super) fn run(ui: Ui, arguments: &NewKey) -> Result<(), Failure> {
    let key = NodeKey::random(&mut Environment::system().rng());
    files::write_new_private(&arguments.out, &key.expose_json())?;
    let (public, path) = (key.identity_key(), arguments.out.display().to_string());
    ui.step(
        "key",
        json!({ "identity_key": public, "key_file": path }),
        format!("Public key:  {public}\nKey file:    {path}, for its owner alone; keep a copy where it is safe."),
    );
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<NodeKey, Failure> {
    let text = files::read_private(path)?;
    NodeKey::from_json(text.trim_ascii().as_bytes()).map_err(|error| {
        Failure::new(
            Exit::Input,
            "bad_key_file",
            format!("{}: {error}", path.display()),
        )
    })
}

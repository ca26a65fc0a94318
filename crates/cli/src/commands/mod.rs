//! One file per command.

mod admin;
mod demo;
mod network;
mod serve_dev;
mod serve_metadata;
mod serve_node;
mod wallet;

use serde_json::json;

use crate::args::{Command, Serve};
use crate::failure::{EXIT_CODES, Failure};
use crate::ui::Ui;

pub(crate) async fn run(ui: &Ui, command: Command) -> Result<(), Failure> {
    let ui = *ui;
    match command {
        Command::Demo(arguments) => demo::run(ui, arguments).await,
        Command::Serve(Serve::Dev(arguments)) => serve_dev::run(ui, arguments).await,
        Command::Serve(Serve::Metadata(arguments)) => serve_metadata::run(ui, arguments).await,
        Command::Serve(Serve::Node(arguments)) => serve_node::run(ui, arguments).await,
        Command::Admin(command) => admin::run(ui, command).await,
        Command::Wallet(arguments) => wallet::run(ui, *arguments).await,
        Command::Network(command) => network::run(ui, command).await,
        Command::ExitCodes => {
            ui.step("exit_codes", json!({ "text": EXIT_CODES }), EXIT_CODES);
            Ok(())
        }
    }
}

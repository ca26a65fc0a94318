//! `trefoil wallet`: a wallet app on the command line.

mod browser;
mod drill;
pub(super) mod ethereum;
mod export;
mod factor_add;
mod factor_change;
mod factor_list;
mod factor_remove;
mod knowledge;
mod login;
mod mfa_decline;
mod mfa_enable;
mod open;
mod opening;
mod pairing;
mod recover;
mod setup;
mod sign;
mod status;
mod words;

use crate::args::{Contact, Device, Factor, Mfa, Wallet, WalletCommand};
use crate::failure::Failure;
use crate::ui::Ui;
use setup::Setup;

pub(crate) async fn run(ui: Ui, arguments: Wallet) -> Result<(), Failure> {
    let setup = Setup::new(ui, arguments.network, arguments.device_dir);
    match arguments.command {
        WalletCommand::Login(arguments) => login::run(&setup, arguments).await,
        WalletCommand::Status(arguments) => status::run(&setup, &arguments),
        WalletCommand::Sign(arguments) => sign::run(&setup, arguments).await,
        WalletCommand::Mfa(Mfa::Enable(arguments)) => mfa_enable::run(&setup, arguments).await,
        WalletCommand::Mfa(Mfa::Decline(arguments)) => mfa_decline::run(&setup, &arguments).await,
        WalletCommand::Factor(Factor::List(arguments)) => {
            factor_list::run(&setup, &arguments).await
        }
        WalletCommand::Factor(Factor::Add(arguments)) => factor_add::run(&setup, *arguments).await,
        WalletCommand::Factor(Factor::Change(arguments)) => {
            factor_change::run(&setup, *arguments).await
        }
        WalletCommand::Factor(Factor::Remove(arguments)) => {
            factor_remove::run(&setup, &arguments).await
        }
        WalletCommand::Device(Device::Request(arguments)) => {
            pairing::request::run(&setup, &arguments, false).await
        }
        WalletCommand::Device(Device::Approve(arguments)) => {
            pairing::approve::run(&setup, &arguments, false).await
        }
        WalletCommand::Contact(Contact::Offer(arguments)) => {
            pairing::request::run(&setup, &arguments, true).await
        }
        WalletCommand::Contact(Contact::Enrol(arguments)) => {
            pairing::approve::run(&setup, &arguments, true).await
        }
        WalletCommand::Contact(Contact::Ask(arguments)) => {
            pairing::ask::run(&setup, *arguments).await
        }
        WalletCommand::Contact(Contact::Lend(arguments)) => {
            pairing::lend::run(&setup, &arguments).await
        }
        WalletCommand::Open(arguments) => open::run(&setup, arguments).await,
        WalletCommand::Recover(arguments) => recover::run(&setup, &arguments),
        WalletCommand::Drill(arguments) => drill::run(&setup, arguments).await,
        WalletCommand::Export(arguments) => export::run(&setup, arguments).await,
    }
}

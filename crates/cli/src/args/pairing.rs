//! `trefoil wallet device …` and `trefoil wallet contact …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Factors, Opening};

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Ask to become another device of a wallet: shows a request for the device that has it open
    Request(Request),
    /// Take in another device that shows a request
    Approve(Box<Approval>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Contact {
    /// Offer to be somebody's trusted contact: shows a request for their device
    Offer(Request),
    /// Take in a trusted contact who shows an offer
    Enrol(Box<Approval>),
    /// Ask a trusted contact of the wallet for help: shows a request for their device, then opens the wallet
    Ask(Box<Ask>),
    /// Help somebody whose trusted contact this device is, and who shows a request
    Lend(Lend),
}

#[derive(Debug, Args)]
pub(crate) struct Request {
    /// What this device, or this user, is called there
    #[arg(long, value_name = "NAME", default_value = "another device")]
    pub(crate) label: String,
}

#[derive(Debug, Args)]
pub(crate) struct Approval {
    /// Read the request from this file, or - for standard input; asked for otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) request_file: Option<PathBuf>,
    /// Whose wallet this is, for the other side
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) owner: String,
    /// What the new factor is called; as the other side calls itself unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    #[command(flatten)]
    pub(crate) opening: Opening,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// What this user is called there
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) label: String,
    /// Add this device as a factor as soon as the wallet is open, under this name
    #[arg(long, value_name = "NAME")]
    pub(crate) add_device: Option<String>,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

#[derive(Debug, Args)]
pub(crate) struct Lend {
    /// Read the request from this file, or - for standard input; asked for otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) request_file: Option<PathBuf>,
    /// What this user is called there
    #[arg(long, value_name = "NAME", default_value = "a trusted contact")]
    pub(crate) label: String,
}

//! The command line.

mod admin;
mod pairing;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use openidconnect::IssuerUrl;
use trefoil::{Tenant, VerifierId};
use trefoil_client::transport::is_secure;

use crate::failure::EXIT_CODES;

pub(crate) use admin::{
    Admin, AdminBackup, AdminPrune, AdminRestore, AdminRotate, AdminStats, AdminVerify, StorePlace,
};
pub(crate) use pairing::{Approval, Ask, Contact, Device, Lend, Request};

/// A wallet key in several factors and no single hand.
#[derive(Debug, Parser)]
#[command(name = "trefoil", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print one JSON object a line, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start every server on this machine and act as a wallet app, from one click to two of three
    Demo(Demo),
    /// Run servers
    #[command(subcommand)]
    Serve(Serve),
    /// Look after a metadata server's store: count, check, back up, restore
    #[command(subcommand)]
    Admin(Admin),
    /// Use a wallet
    Wallet(Box<Wallet>),
    /// Make node networks
    #[command(subcommand)]
    Network(Network),
    /// List the exit codes
    #[command(after_help = EXIT_CODES)]
    ExitCodes,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep what the servers and the device store, in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Also enrol and open with every further kind of factor, and recover offline with every server stopped
    #[arg(long, value_name = "WHICH")]
    pub(crate) factors: Option<DemoFactors>,
    /// In the end kill so many nodes and log in again
    #[arg(long, value_name = "K")]
    pub(crate) kill: Option<u16>,
    #[command(flatten)]
    pub(crate) size: NetworkSize,
}

/// Which further factors the demo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoFactors {
    /// Password, PIN, security questions, passkey, e-mailed backup, second social login, other device, trusted contact
    All,
}

/// How many nodes a local network has.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct NetworkSize {
    /// Nodes of a new network [default: 9; 3 for `serve dev`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) nodes: Option<u16>,
    /// Nodes of a new network that must answer [default: more than half]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threshold: Option<u16>,
}

impl NetworkSize {
    /// With this many nodes unless said otherwise.
    pub(crate) fn or(self, nodes: u16) -> Self {
        Self {
            nodes: self.nodes.or(Some(nodes)),
            ..self
        }
    }

    pub(crate) fn count(self) -> u16 {
        self.nodes.unwrap_or(3)
    }

    pub(crate) fn needed(self) -> u16 {
        self.threshold.unwrap_or(self.count() / 2 + 1)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// Metadata server, nodes and a login provider in one process, for development
    Dev(ServeDev),
    /// A metadata server
    Metadata(ServeMetadata),
    /// One node of a network
    Node(ServeNode),
}

#[derive(Debug, Args)]
pub(crate) struct ServeDev {
    /// Where everything is kept; `network.json` in it is for `trefoil wallet`
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The name space of accounts
    #[arg(long, default_value = "dev")]
    pub(crate) tenant: Tenant,
    #[command(flatten)]
    pub(crate) size: NetworkSize,
}

#[derive(Debug, Args)]
pub(crate) struct ServeMetadata {
    /// Settings as TOML, see the book; arguments go first, then the environment
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Say what is wrong with the settings and the files they name, and do nothing else
    #[arg(long)]
    pub(crate) check_config: bool,
    /// Print the API as an OpenAPI document, and do nothing else
    #[arg(long)]
    pub(crate) openapi: bool,
    /// Make a permit key in this new file, for servers that share a database, and do nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) new_permit_key: Option<PathBuf>,
    /// Address and port; anything but loopback needs TLS or a proxy that ends it
    #[arg(long, value_name = "ADDRESS", env = "TREFOIL_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address and port for the operator's counters; never a public one
    #[arg(long, value_name = "ADDRESS", env = "TREFOIL_METRICS")]
    pub(crate) metrics: Option<SocketAddr>,
    /// How clients reach this server, without a slash at the end; it is part of what they sign
    #[arg(long, value_name = "URL", env = "TREFOIL_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// Where the two database files lie
    #[arg(long, value_name = "DIR", env = "TREFOIL_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The key that permits slots at the nodes, mode 0600, made where there is none; `permit.key` in the data directory unless
    /// set
    #[arg(long, value_name = "FILE", env = "TREFOIL_PERMIT_KEY_FILE")]
    pub(crate) permit_key_file: Option<PathBuf>,
    /// A tenant to serve; may be repeated
    #[arg(long = "tenant", value_name = "TENANT")]
    pub(crate) tenants: Vec<Tenant>,
    /// Serve every tenant, for development
    #[arg(long, conflicts_with = "tenants")]
    pub(crate) any_tenant: bool,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "TREFOIL_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Key of the certificate, PEM, mode 0600
    #[arg(long, value_name = "FILE", env = "TREFOIL_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Stop when standard input ends, so that a parent that dies takes its servers along
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeNode {
    /// Settings as TOML, see the book; arguments go first, then the environment
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Say what is wrong with the settings and the files they name, and do nothing else
    #[arg(long)]
    pub(crate) check_config: bool,
    /// Address and port; anything but loopback needs TLS or a proxy that ends it
    #[arg(long, value_name = "ADDRESS", env = "TREFOIL_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address and port for the operator's counters; never a public one
    #[arg(long, value_name = "ADDRESS", env = "TREFOIL_METRICS")]
    pub(crate) metrics: Option<SocketAddr>,
    /// How clients reach this node, without a slash at the end
    #[arg(long, value_name = "URL", env = "TREFOIL_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// The network's signed manifest
    #[arg(long, value_name = "FILE", env = "TREFOIL_MANIFEST")]
    pub(crate) manifest: Option<PathBuf>,
    /// This node's secret file, mode 0600
    #[arg(long, value_name = "FILE", env = "TREFOIL_NODE_SECRETS")]
    pub(crate) secrets: Option<PathBuf>,
    /// TOML with the `[[verifier]]` tables, the same at every node of the network
    #[arg(long, value_name = "FILE", env = "TREFOIL_VERIFIERS")]
    pub(crate) verifiers: Option<PathBuf>,
    /// Where the node keeps its state
    #[arg(long, value_name = "DIR", env = "TREFOIL_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The key under which the state is sealed, mode 0600
    #[arg(long, value_name = "FILE", env = "TREFOIL_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "TREFOIL_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Key of the certificate, PEM, mode 0600
    #[arg(long, value_name = "FILE", env = "TREFOIL_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Stop when standard input ends, so that a parent that dies takes its servers along
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Make the keys of a whole network in one place: for development only
    Dealer(Dealer),
    /// Make the lasting key of a node or of a coordinator
    NewKey(NewKey),
    /// Have running nodes make their network's key among themselves: nobody ever has it whole
    Keygen(Keygen),
    /// Give all nodes new shares of the same key; old shares become worthless
    Refresh(Refresh),
    /// Move the key to other nodes or another threshold; logins go on
    Move(MoveKey),
    /// Agree, as a node's operator, to one plan that its settings do not cover
    Approve(Approve),
    /// Write a node's key and shares to one file, sealed with a passphrase; the node may be running
    Backup(NodeBackup),
    /// Make a node again from its backup
    Restore(NodeRestore),
    /// Show where nodes stand
    Status(NetworkStatus),
}

#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// The new key file (mode 0600)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The coordinator's key file; the nodes' settings name its public key
    #[arg(long, value_name = "FILE", env = "TREFOIL_COORDINATOR_KEY")]
    pub(crate) coordinator_key: PathBuf,
    /// A node's address, without a slash at the end, and, better, #IDENTITY_KEY behind it; repeat it for each node
    #[arg(long = "node", value_name = "URL", required = true)]
    pub(crate) nodes: Vec<String>,
    /// Nodes that must answer
    #[arg(long, value_name = "T", default_value_t = 5)]
    pub(crate) threshold: u16,
    /// The network's manifest, a new file; a plan lies beside it until it is carried out
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Refresh {
    /// The coordinator's key file
    #[arg(long, value_name = "FILE", env = "TREFOIL_COORDINATOR_KEY")]
    pub(crate) coordinator_key: PathBuf,
    /// A manifest of the network, of any epoch; the newest one is written in its place
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct MoveKey {
    /// The coordinator's key file
    #[arg(long, value_name = "FILE", env = "TREFOIL_COORDINATOR_KEY")]
    pub(crate) coordinator_key: PathBuf,
    /// A manifest of the network, of any epoch; the newest one is written in its place
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: PathBuf,
    /// A future member's address and, better, #IDENTITY_KEY behind it; repeat it for each
    #[arg(long = "node", value_name = "URL", required = true)]
    pub(crate) nodes: Vec<String>,
    /// Nodes that must answer from then on
    #[arg(long, value_name = "T")]
    pub(crate) threshold: u16,
    /// Only write the plan, for the operators to approve
    #[arg(long)]
    pub(crate) plan_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The node's data directory
    #[arg(long, value_name = "DIR", env = "TREFOIL_DATA")]
    pub(crate) data: PathBuf,
    /// The plan to agree to
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct NodeBackup {
    /// The node's data directory
    #[arg(long, value_name = "DIR", env = "TREFOIL_DATA")]
    pub(crate) data: PathBuf,
    /// The node's key file
    #[arg(long, value_name = "FILE", env = "TREFOIL_KEY_FILE")]
    pub(crate) key_file: PathBuf,
    /// The backup, a new file (mode 0600)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Read the passphrase, 12 characters or more, from this file, or - for standard input, instead of asking
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NodeRestore {
    /// The backup
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: PathBuf,
    /// The node's data directory, which must be new or empty
    #[arg(long, value_name = "DIR", env = "TREFOIL_DATA")]
    pub(crate) data: PathBuf,
    /// The node's key file, a new one (mode 0600)
    #[arg(long, value_name = "FILE", env = "TREFOIL_KEY_FILE")]
    pub(crate) key_file: PathBuf,
    /// Read the passphrase from this file, or - for standard input, instead of asking
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkStatus {
    /// A node's address; may be repeated
    #[arg(
        long = "node",
        value_name = "URL",
        required_unless_present = "manifest"
    )]
    pub(crate) nodes: Vec<String>,
    /// Ask the nodes of this manifest
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Dealer {
    /// A node's address, without a slash at the end; repeat it for each node
    #[arg(long = "node", value_name = "URL", required = true)]
    pub(crate) nodes: Vec<String>,
    /// Nodes that must answer
    #[arg(long, value_name = "T")]
    pub(crate) threshold: u16,
    /// Where `manifest.json` and one secret file for each node go; nothing there is overwritten
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Wallet {
    /// The network file, as `trefoil serve dev` writes it
    #[arg(long, global = true, value_name = "FILE", env = "TREFOIL_NETWORK")]
    pub(crate) network: Option<PathBuf>,
    /// Where this device keeps its factor and what it has seen
    #[arg(long, global = true, value_name = "DIR", env = "TREFOIL_DEVICE_DIR")]
    pub(crate) device_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: WalletCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Log in with a social login; a new user gets a wallet
    Login(Login),
    /// Show what this device knows, without asking any server
    Status(Status),
    /// Sign a message as Ethereum wallets do (EIP-191)
    Sign(Sign),
    /// Spread the key over several factors
    #[command(subcommand)]
    Mfa(Mfa),
    /// The factors of the wallet
    #[command(subcommand)]
    Factor(Factor),
    /// Other devices of yours
    #[command(subcommand)]
    Device(Device),
    /// Trusted contacts, yours and those you are
    #[command(subcommand)]
    Contact(Contact),
    /// Open the wallet with any factors, or offline from a recovery kit
    Open(Open),
    /// Open the wallet offline from a recovery kit, with every server gone
    Recover(Recover),
    /// Show how well the factors are known to work, and prove one that it does
    Drill(Drilled),
    /// Write the recovery kit or the private key to a file
    Export(Export),
}

/// Which factors are at hand. The device's own factor joins by itself.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Factors at hand (this device's own joins by itself)")]
pub(crate) struct Factors {
    /// Log in at a development provider as this user
    #[arg(long, value_name = "NAME")]
    pub(crate) dev_user: Option<String>,
    /// Read the login provider's ID token from this file, or - for standard input; the nonce it needs is shown first
    #[arg(long, value_name = "FILE", conflicts_with = "dev_user")]
    pub(crate) id_token_file: Option<PathBuf>,
    /// Ask for the login provider's ID token
    #[arg(long, conflicts_with_all = ["dev_user", "id_token_file"])]
    pub(crate) id_token: bool,
    #[command(flatten)]
    pub(crate) browser: Browser,
    /// Which login provider; the network file's first one unless named
    #[arg(long, value_name = "VERIFIER")]
    pub(crate) verifier: Option<VerifierId>,
    /// Read the recovery phrase from this file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) phrase_file: Option<PathBuf>,
    /// Ask for the recovery phrase
    #[arg(long, conflicts_with = "phrase_file")]
    pub(crate) phrase: bool,
    /// Read the dApp share from this file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) dapp_share_file: Option<PathBuf>,
    /// Ask for the dApp share
    #[arg(long, conflicts_with = "dapp_share_file")]
    pub(crate) dapp_share: bool,
    /// Read the PIN from this file, or - for standard input; guesses are counted
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
    /// Ask for the PIN
    #[arg(long, conflicts_with = "pin_file")]
    pub(crate) pin: bool,
    /// Read the password from this file, or - for standard input; guesses are counted
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Ask for the password
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) password: bool,
    /// Read answers to security questions from this file, one a line such as `2: Marzipan`, or - for standard input up to an
    /// empty line; guesses are counted
    #[arg(long, value_name = "FILE")]
    pub(crate) answers_file: Option<PathBuf>,
}

/// A login in the browser, at any OpenID Connect provider.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Browser {
    /// Log in in the browser at this OpenID Connect provider
    #[arg(
        long,
        value_name = "URL",
        value_parser = issuer,
        requires = "client_id",
        conflicts_with_all = ["dev_user", "id_token_file", "id_token"]
    )]
    pub(crate) issuer: Option<IssuerUrl>,
    /// The app's client id at that provider
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub(crate) client_id: Option<String>,
    /// Read the client secret, where installed apps of that provider have one, from this file, or - for standard input
    #[arg(long, value_name = "FILE", requires = "issuer")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Ask that provider for more than `openid email`; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", requires = "issuer")]
    pub(crate) scopes: Vec<String>,
    /// Do not start a browser, only print the address
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Seconds that the login may take
    #[arg(long, hide = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) login_timeout: Option<u64>,
}

/// An issuer's address: HTTPS, or plain HTTP on this machine, and nothing behind the path (OpenID Connect Discovery 1.0
/// section 3).
fn issuer(text: &str) -> Result<IssuerUrl, String> {
    let issuer = IssuerUrl::new(text.to_owned()).map_err(|_| "this is no address")?;
    let url = issuer.url();
    if !is_secure(url) {
        Err("it must begin with https://".to_owned())
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("it must not have a ? or #".to_owned())
    } else {
        Ok(issuer)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) factors: Factors,
    /// Do not create a wallet for a new user
    #[arg(long)]
    pub(crate) existing: bool,
    /// A new user's wallet gets the private key in this file (64 hexadecimal digits), or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "existing")]
    pub(crate) import_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Put the device file's previous copy in place of a damaged one, which is kept beside it
    #[arg(long)]
    pub(crate) restore_device: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The message
    #[arg(required_unless_present = "message_file")]
    pub(crate) message: Option<String>,
    /// Read the message from this file
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    pub(crate) message_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mfa {
    /// Turn it on: any two of the factors open the wallet from then on; the address stays
    Enable(MfaEnable),
    /// Do not offer it on this device again
    Decline(Opening),
}

/// A command with nothing but factors.
#[derive(Debug, Args)]
pub(crate) struct Opening {
    #[command(flatten)]
    pub(crate) factors: Factors,
}

/// How a new phrase or share reaches its keeper and comes back.
#[derive(Debug, Clone, Args)]
pub(crate) struct Drill {
    /// Write the new words to this new file (mode 0600) instead of showing them
    #[arg(long, value_name = "FILE")]
    pub(crate) words_out: Option<PathBuf>,
    /// Read the words back from this file, or - for standard input, instead of asking: from where they will be kept
    #[arg(long, value_name = "FILE")]
    pub(crate) proof_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Words {
    #[value(name = "12")]
    Twelve,
    #[value(name = "24")]
    TwentyFour,
}

#[derive(Debug, Args)]
pub(crate) struct MfaEnable {
    #[command(flatten)]
    pub(crate) factors: Factors,
    #[command(flatten)]
    pub(crate) drill: Drill,
    /// Length of the recovery phrase
    #[arg(long, value_name = "COUNT", default_value = "24")]
    pub(crate) words: Words,
    /// What to call this device
    #[arg(long, value_name = "LABEL", default_value = "this computer")]
    pub(crate) device_label: String,
    /// What to call the recovery phrase
    #[arg(long, value_name = "LABEL", default_value = "recovery phrase")]
    pub(crate) phrase_label: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Factor {
    /// List the factors
    List(Opening),
    /// Add a factor
    Add(Box<FactorAdd>),
    /// Change a password, a PIN or the security questions: one works until the change is done, the other from then on
    Change(Box<FactorChange>),
    /// Remove a factor; all others get new shares
    Remove(FactorRemove),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewFactor {
    /// 12 or 24 words for the user
    Phrase,
    /// This device
    Device,
    /// 24 words for the app
    DappShare,
    /// Another social login
    Social,
    /// A password; guesses are counted by the servers
    Password,
    /// A PIN of at least 6 letters or digits; guesses are counted by the servers
    Pin,
    /// Security questions, 3 of 5 unless said otherwise; guesses are counted by the servers
    Questions,
}

/// A new password or PIN, or new questions.
#[derive(Debug, Args)]
pub(crate) struct NewKnowledge {
    /// The new password or PIN: in this file, or - for standard input, instead of asking
    #[arg(long, value_name = "FILE")]
    pub(crate) new_secret_file: Option<PathBuf>,
    /// The new questions with their answers: in this file (TOML: `needed`, and for each question `id` or `text`, and `answer`)
    #[arg(long, value_name = "FILE")]
    pub(crate) questions_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FactorChange {
    /// Its index, as `factor list` shows it
    pub(crate) index: u32,
    #[command(flatten)]
    pub(crate) new: NewKnowledge,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

#[derive(Debug, Args)]
pub(crate) struct FactorAdd {
    /// Which kind
    pub(crate) kind: NewFactor,
    /// What to call it
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<String>,
    /// Length of a new recovery phrase
    #[arg(long, value_name = "COUNT", default_value = "24")]
    pub(crate) words: Words,
    /// The new social login: this user at a development provider
    #[arg(long, value_name = "NAME")]
    pub(crate) new_dev_user: Option<String>,
    /// The new social login: the ID token in this file, or - for standard input; the nonce it needs is shown first
    #[arg(long, value_name = "FILE", conflicts_with = "new_dev_user")]
    pub(crate) new_id_token_file: Option<PathBuf>,
    /// The new social login's provider
    #[arg(long, value_name = "VERIFIER")]
    pub(crate) new_verifier: Option<VerifierId>,
    /// Accept that whoever takes one identity opens the wallet alone, where several of its logins are enough factors
    #[arg(long)]
    pub(crate) accept_one_identity: bool,
    #[command(flatten)]
    pub(crate) new_browser: NewBrowser,
    #[command(flatten)]
    pub(crate) new_knowledge: NewKnowledge,
    #[command(flatten)]
    pub(crate) drill: Drill,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

/// The new social login, in the browser.
#[derive(Debug, Args)]
pub(crate) struct NewBrowser {
    /// The new social login: in the browser at this OpenID Connect provider
    #[arg(
        long,
        value_name = "URL",
        value_parser = issuer,
        requires = "new_client_id",
        conflicts_with_all = ["new_dev_user", "new_id_token_file"]
    )]
    pub(crate) new_issuer: Option<IssuerUrl>,
    /// The app's client id at the new login's provider
    #[arg(long, value_name = "ID", requires = "new_issuer")]
    pub(crate) new_client_id: Option<String>,
    /// Read the client secret for the new login's provider from this file, or - for standard input
    #[arg(long, value_name = "FILE", requires = "new_issuer")]
    pub(crate) new_client_secret_file: Option<PathBuf>,
    /// Ask the new login's provider for more than `openid email`; may be repeated
    #[arg(long = "new-scope", value_name = "SCOPE", requires = "new_issuer")]
    pub(crate) new_scopes: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FactorRemove {
    /// Its index, as `factor list` shows it
    pub(crate) index: u32,
    /// Accept that losing any one more factor would lose the key
    #[arg(long)]
    pub(crate) accept_no_spare_factor: bool,
    /// Accept that only one factor is left from which an opening can start
    #[arg(long)]
    pub(crate) accept_one_primary_factor: bool,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

#[derive(Debug, Args)]
pub(crate) struct Open {
    #[command(flatten)]
    pub(crate) factors: Factors,
    /// The server was set back after a loss, and you are sure of that: put this device's newer record back
    #[arg(long)]
    pub(crate) restore: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Drilled {
    #[command(flatten)]
    pub(crate) proof: Proof,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

/// What is to be shown to work.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to prove")]
pub(crate) struct Proof {
    /// The recovery phrase in this file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) prove_phrase_file: Option<PathBuf>,
    /// Ask for the recovery phrase
    #[arg(long, conflicts_with = "prove_phrase_file")]
    pub(crate) prove_phrase: bool,
    /// The dApp share in this file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) prove_dapp_share_file: Option<PathBuf>,
    /// The PIN in this file, or - for standard input; costs one guess
    #[arg(long, value_name = "FILE")]
    pub(crate) prove_pin_file: Option<PathBuf>,
    /// Ask for the PIN
    #[arg(long, conflicts_with = "prove_pin_file")]
    pub(crate) prove_pin: bool,
    /// The password in this file, or - for standard input; costs one guess
    #[arg(long, value_name = "FILE")]
    pub(crate) prove_password_file: Option<PathBuf>,
    /// Ask for the password
    #[arg(long, conflicts_with = "prove_password_file")]
    pub(crate) prove_password: bool,
    /// Answers to the security questions in this file, or - for standard input; cost one guess
    #[arg(long, value_name = "FILE")]
    pub(crate) prove_answers_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true)]
pub(crate) struct ExportWhat {
    /// Write the recovery kit to this new file: useless without enough factors
    #[arg(long, value_name = "FILE", group = "what")]
    pub(crate) kit_out: Option<PathBuf>,
    /// Write the private key to this new file (mode 0600): whoever reads it has the wallet
    #[arg(long, value_name = "FILE", group = "what")]
    pub(crate) key_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// The recovery kit
    #[arg(long, value_name = "FILE")]
    pub(crate) kit: PathBuf,
    /// Read the words of a recovery phrase, dApp share or backup mail from this file, or - for a line of standard input;
    /// may be repeated. Words that are still missing are asked for
    #[arg(
        long = "words-file",
        value_name = "FILE",
        visible_aliases = ["phrase-file", "dapp-share-file"]
    )]
    pub(crate) words_files: Vec<PathBuf>,
    /// Another device's directory, or a copy of it, that keeps a factor of this wallet; may be repeated. This device's own
    /// joins by itself
    #[arg(long = "other-device-dir", value_name = "DIR")]
    pub(crate) other_device_dirs: Vec<PathBuf>,
    /// Write the private key to this new file (mode 0600): whoever reads it has the wallet
    #[arg(long, value_name = "FILE")]
    pub(crate) key_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) what: ExportWhat,
    #[command(flatten)]
    pub(crate) factors: Factors,
}

//! Real servers on loopback: the metadata server, a node network and an OpenID provider, with files in a directory of
//! their own. Each can be killed and started again on the same port and data.

mod backup;
mod metadata;
mod moving;
mod network;
mod nodes;
mod running;
mod scripted;
mod world;

pub use backup::Backup;
pub use metadata::{MetadataProcess, MetadataStorage};
pub use moving::MovingNetwork;
pub use network::{NetworkNode, NodeNetwork};
pub use nodes::NodeProcess;
pub use scripted::{Answer, Chain, ScriptedNode};
pub use world::{Verifier, World, WorldOptions};

use crate::oidc::OidcError;

/// Why servers could not be started. None of these happens on a sane machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestkitError {
    /// No loopback port, or no threads.
    #[error("a server cannot listen on loopback: {0}")]
    Listen(#[source] std::io::Error),
    /// Files cannot be made, copied or removed.
    #[error("the servers' files: {0}")]
    Files(#[source] std::io::Error),
    /// The metadata server's store does not open.
    #[error("the metadata server's store: {0}")]
    Store(#[from] trefoil_store::StoreError),
    /// The metadata server's settings are refused.
    #[error("the metadata server's settings: {0}")]
    Metadata(#[from] trefoil_metadata_server::ConfigError),
    /// The OpenID provider does not start.
    #[error(transparent)]
    Provider(#[from] OidcError),
    /// The nodes' keys cannot be dealt.
    #[error(transparent)]
    Deal(#[from] trefoil_protocol::social::DealNetworkError),
    /// A node's settings are refused.
    #[error("a node's settings: {0}")]
    Node(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// A name in the options is not a tenant's or a verifier's.
    #[error("{0:?} is not a tenant's or a verifier's name")]
    Name(String),
    /// No verifier of this name in the options.
    #[error("there is no verifier {0:?} in this world")]
    UnknownVerifier(String),
}

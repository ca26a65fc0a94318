#![doc = include_str!("../README.md")]

pub mod ceremony;
pub mod environment;
pub mod metadata;
pub mod network;
pub mod retry;
pub mod slots;
pub mod transport;

pub use environment::{Clock, Environment, EnvironmentRng, SystemClock};
pub use metadata::{MetadataClient, Session};
pub use network::NetworkClient;
pub use retry::RetryPolicy;
pub use slots::SlotClient;
pub use transport::{
    CountingTransport, HttpTransport, Request, Response, RoundTrips, Transport, TransportError,
};

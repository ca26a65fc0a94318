//! HTTP clients of the metadata server and the node network: retries, clock offset, round-trip accounting, a transport trait.

pub mod environment;
pub mod metadata;
pub mod retry;
pub mod transport;

pub use environment::{Clock, Environment, EnvironmentRng, SystemClock};
pub use metadata::{MetadataClient, Session};
pub use retry::RetryPolicy;
pub use transport::{
    CountingTransport, HttpTransport, Request, Response, RoundTrips, Transport, TransportError,
};

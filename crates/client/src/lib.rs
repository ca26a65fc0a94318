//! HTTP clients of the metadata server and the node network: retries, clock offset, round-trip accounting, a transport trait.

pub mod environment;
pub mod transport;

pub use environment::{Clock, Environment, EnvironmentRng, SystemClock};
pub use transport::{
    CountingTransport, HttpTransport, Request, Response, RoundTrips, Transport, TransportError,
};

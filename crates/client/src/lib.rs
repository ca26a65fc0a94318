#![doc = include_str!("../README.md")]

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

#![doc = include_str!("../README.md")]

mod client_address;
mod metrics;
mod recent;
mod request;

pub use client_address::{Network, NetworkError, Proxies, subnet};
pub use metrics::{encode, metrics_router};
pub use recent::Recent;
pub use request::{REQUEST_ID, is_probe, micros, request_id, route_of};

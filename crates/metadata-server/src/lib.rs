#![doc = include_str!("../README.md")]

mod access;
mod around;
mod body;
mod config;
mod cors;
mod guard;
mod limits;
mod metrics;
mod observe;
mod openapi;
mod parts;
mod refusal;
mod routes;
mod server;
mod statements;
mod tenants;
pub mod upkeep;

pub use config::{Config, ConfigError};
pub use limits::{LimitKey, Limits, LimitsConfig, LimitsError, TenantLimits};
pub use metrics::Metrics;
pub use openapi::openapi_json;
pub use server::MetadataServer;
pub use tenants::{
    MIN_SESSION_SECONDS, Origin, OriginError, SESSION_SECONDS, TenantConfig, TenantPolicy, Tenants,
};
pub use trefoil_server_kit::Network;

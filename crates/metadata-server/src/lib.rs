#![doc = include_str!("../README.md")]

mod access;
mod body;
mod config;
mod guard;
mod log;
mod parts;
mod refusal;
mod routes;
mod server;
mod statements;
pub mod upkeep;

pub use config::{Config, ConfigError, SESSION_SECONDS, Tenants};
pub use server::MetadataServer;

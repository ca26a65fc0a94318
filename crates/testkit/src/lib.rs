#![cfg_attr(feature = "servers", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "servers"), doc = "A local OpenID provider for tests.")]

#[cfg(feature = "servers")]
pub mod environment;
#[cfg(feature = "servers")]
pub mod faults;
pub mod oidc;
#[cfg(feature = "servers")]
pub mod passkey;
#[cfg(unix)]
pub mod postgres;
#[cfg(feature = "servers")]
pub mod proxy;
#[cfg(feature = "servers")]
pub mod servers;
#[cfg(feature = "servers")]
pub mod smtp;

//! What tests and the demo run against: a local OpenID provider, servers on ephemeral ports, a fault-injecting proxy, fixed clocks and RNGs.
//!
//! Everything but [`oidc`] stands behind the feature `servers` (on by default): with it off the crate needs no crate
//! above the node, so that the node's own tests can use the provider.

#[cfg(feature = "servers")]
pub mod environment;
#[cfg(feature = "servers")]
pub mod faults;
pub mod oidc;
#[cfg(feature = "servers")]
pub mod proxy;
#[cfg(feature = "servers")]
pub mod servers;

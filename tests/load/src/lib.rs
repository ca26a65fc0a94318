//! Drives a real `trefoil serve metadata`, a process of its own, from outside.
//!
//! - [`load`]: signed logins, reads and commits, as many as the server takes, and what bounds them.
//! - [`torture`]: kills in the middle of concurrent work, and what is there afterwards.
//! - [`linear`]: whether what clients saw of one account can have happened in one order.
//! - [`server`], [`backend`]: the process and where it keeps its data.

pub mod backend;
mod http;
pub mod incumbent;
pub mod linear;
pub mod load;
pub mod server;
pub mod torture;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_core::Rng as _;
use trefoil_client::{Environment, SystemClock};
use trefoil_protocol::tenant::Tenant;

/// What went wrong, in words for whoever runs the command.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The tenant of all accounts.
///
/// # Errors
/// None: the name is well formed.
pub fn tenant() -> Result<Tenant, Failure> {
    Ok(Tenant::new("load")?)
}

/// A random source of its own, seeded by the operating system: many tasks draw at once.
#[must_use]
pub fn fresh_rng() -> ChaCha20Rng {
    let mut seed = [0; 32];
    Environment::system().rng().fill_bytes(&mut seed);
    ChaCha20Rng::from_seed(seed)
}

/// Unix seconds.
#[must_use]
pub fn now() -> u64 {
    use trefoil_client::Clock as _;
    SystemClock.unix_time()
}

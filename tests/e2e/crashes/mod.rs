//! Clients that die around every request, clients that race each other, servers that die or lose data.

mod create;
mod honest_loss;
mod knowledge;
mod loss_under_load;
mod races;
mod remove;
mod restored_ages;
mod servers;
mod upgrade;

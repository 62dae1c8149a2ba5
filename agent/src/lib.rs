//! The daemon that runs one bot.

pub mod coordinator;
pub mod store;
pub mod turn;

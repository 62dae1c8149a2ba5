//! The daemon that runs one bot.

pub mod coordinator;
pub mod hub;
pub mod logs;
pub mod outbox;
pub mod store;
pub mod turn;

//! The daemon that runs one bot.

pub mod controls;
pub mod coordinator;
pub mod hub;
pub mod inbox;
pub mod logs;
pub mod outbox;
pub mod request;
pub mod store;
pub mod turn;

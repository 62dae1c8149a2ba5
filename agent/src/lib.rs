//! The daemon that runs one bot.

pub mod adapter;
pub mod approval;
mod aside;
pub mod changes;
mod claim;
pub mod cli;
pub mod controls;
pub mod coordinator;
pub mod daemon;
mod demo;
pub mod driver;
mod failpoint;
pub mod health;
pub mod http;
pub mod hub;
pub mod inbox;
mod ledger;
pub mod logs;
pub mod outbox;
mod prompt;
pub mod request;
mod response;
mod salvage;
pub mod store;
pub mod tally;
pub mod turn;
mod untrusted;

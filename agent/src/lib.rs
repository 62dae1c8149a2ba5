//! The daemon that runs one bot.

pub mod adapter;
pub mod turn;

//! The daemon that runs one bot.

pub mod inbox;
pub mod turn;

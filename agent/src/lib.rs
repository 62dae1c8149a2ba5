//! The daemon that runs one bot.

pub mod turn;

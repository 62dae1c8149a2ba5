//! The daemon that runs one bot.

pub mod logs;
pub mod turn;

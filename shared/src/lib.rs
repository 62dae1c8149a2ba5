//! What both sides of a hive agree on, and what any other client of one needs: ids, paths, documents, settings, wire
//! types and a client.

pub mod api;
pub mod chat;
#[cfg(feature = "client")]
pub mod client;
pub mod diff;
pub mod digest;
mod front_matter;
pub mod ids;
pub mod nearest;
pub mod paths;
pub mod program;
pub mod regular_file;
pub mod response;
pub mod running;
pub mod settings;
pub mod step;
pub mod task;
pub mod time;
pub mod trust;
pub mod work;

//! hivectl and the client library against a bot that says what a test tells it to say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod approvals;
mod client;
mod commands;
mod examples;
mod fake;
mod hostile;
mod snapshots;
mod unread;

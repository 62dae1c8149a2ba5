//! The commands, one file each: its arguments, whose doc comments are its help, and what it does.

#![expect(clippy::doc_markdown, reason = "doc comments of arguments are help texts, read in a terminal")]

pub mod approvals;
pub mod approve;
pub mod ask;
pub mod cancel;
pub mod chat;
pub mod completions;
pub mod deny;
pub mod doctor;
pub mod down;
pub mod init;
pub mod interrupt;
pub mod logs;
pub mod pause;
pub mod prioritize;
pub mod response;
pub mod resume;
pub mod retry;
pub mod show;
pub mod status;
pub mod stop;
pub mod submit;
pub mod tasks;
pub mod timeline;
pub mod up;
pub mod wait;

mod board;
mod diff;
mod documents;
mod launch;
mod many;
mod several;
mod spoken;
pub(crate) mod view;

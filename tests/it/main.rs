//! What a hive promises its users, tried on the real daemon from outside.

mod asking;
mod chat;
mod ci;
mod clients;
mod completions;
mod conversation;
mod crash;
mod documents;
mod door;
mod exec;
mod exits;
mod files;
mod fleet;
mod followed;
mod hivectl;
mod json;
mod pause;
mod responses;
mod running;
mod scripts;
mod slot;
mod stop;
mod submit;
mod terminal;
mod timeline;
mod views;

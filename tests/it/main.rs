//! What a hive promises its users, tried on the real daemon from outside.

mod changes;
mod chat;
mod clients;
mod crash;
mod documents;
mod door;
mod exec;
mod files;
mod followed;
mod hivectl;
mod pause;
mod responses;
mod running;
mod scripts;
mod slot;
mod stop;
mod terminal;
mod timeline;

//! Drives the real binaries from outside, as users do: through files, HTTP, `WebSockets` and processes.
//!
//! Each test has a [`Hive`] in a temporary directory of its own and starts an [`Agent`] in it. Everything is waited for
//! by looking at it ([`until`]); a condition that does not come true ends the test with what the daemon had to say.

mod agent;
mod api;
mod binaries;
mod chat;
mod control;
mod follow;
mod hive;
pub mod load;
mod model;
mod process;
mod terminal;
pub mod torture;
mod upgrade;
mod wait;

pub use agent::{Agent, Exit};
pub use api::{Api, Reply, http_client};
pub use binaries::binary;
pub use chat::{ChatSocket, Turn};
pub use control::{Ran, control, ctl, ctl_with, finish, interrupt};
pub use follow::Follow;
pub use hive::{BOT, Hive, Response};
pub use model::{Answer, Asked, ModelServer};
pub use process::Process;
pub use terminal::{ALT_ENTER, COLUMNS, CTRL_C, CTRL_D, ENTER, ROWS, Terminal, UP};
pub use upgrade::upgrade;
pub use wait::{DEADLINE, LOOK_EVERY, until};

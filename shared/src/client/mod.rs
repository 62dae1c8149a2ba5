//! What any client of a hive needs: finding a bot, its HTTP API in types, and its two sockets with reconnecting.
//!
//! ```no_run
//! # use hive_shared::{client::{Client, Locator}, ids::BotId, paths::Hive};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let bot = BotId::parse("BOT-002")?;
//! let client = Client::open(&Locator::hive(Hive::find(None)?), &bot).await?;
//! let status = client.status().await?;
//! # Ok(()) }
//! ```
//!
//! Nothing of TLS is loaded for a bot on this machine, so that opening one costs a round trip or two.

mod backoff;
mod bounds;
mod chat;
mod error;
mod find;
mod follow;
mod http;
mod link;
mod socket;
mod tls;

pub use chat::{Chat, ChatEvent};
pub use error::{ClientError, FindError};
pub use find::{Bots, Endpoint, Locator, Token, Trust, list_bots, read_record};
pub use follow::{Followed, Follower, Position};
pub use http::{Client, Submitted, TaskQuery};
pub use tls::server_tls;

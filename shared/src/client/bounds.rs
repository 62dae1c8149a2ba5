//! How much of an answer is heard out. Who says more at a bot's address than a bot can say would fill the memory of
//! whoever listens.

use std::time::Duration;

use crate::api::{MAX_CONTENT, MAX_PAGE, MAX_STEPS_BYTES};
use crate::diff;

/// What a bot says of its health, and why it refuses something.
pub(super) const SHORT: usize = 64 << 10;

/// One status, one task, or all approvals: the longest is a task whose header fills its document
/// ([`crate::task::MAX_TASK_BYTES`]), which JSON may escape six times as long.
pub(super) const ONE: usize = 16 << 20;

/// What an item changed.
pub(super) const DIFF: usize = diff::MAX_DOCUMENT;

/// A response document. `max_output` is 64 MiB unless a bot's settings raise it, without a limit; a response is held
/// in memory to be read, so what is longer than this is for other programs, which find it in `responses/`.
pub(super) const RESPONSE: usize = 1 << 30;

/// A frame of a socket: the first of a follower is a whole page.
pub(super) const FRAME: usize = page(MAX_PAGE);

/// How long a whole call may take, and how long a server may be silent in a longer one.
pub(super) const CALL: Duration = Duration::from_mins(1);

/// How long a bot may take to say that it is there.
pub(super) const HEALTH_CALL: Duration = Duration::from_secs(10);

/// How long a response may take, which may be large and come from afar.
pub(super) const RESPONSE_CALL: Duration = Duration::from_mins(15);

/// A page of so many entries or tasks. JSON may escape each byte of a content to six; steps are bounded as JSON; the rest
/// has as much room as a content has unescaped.
pub(super) const fn page(items: usize) -> usize {
    ONE + items * (7 * MAX_CONTENT + MAX_STEPS_BYTES)
}

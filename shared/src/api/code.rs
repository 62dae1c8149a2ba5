//! The stable codes of errors and of endings.

/// 401: no token, or a wrong one.
pub const UNAUTHORIZED: &str = "unauthorized";
/// 403: a foreign `Origin`.
pub const ORIGIN: &str = "origin";
/// 421: a foreign `Host`.
pub const HOST: &str = "host";
/// 400: a request that cannot be read.
pub const BAD_REQUEST: &str = "bad_request";
/// 404: no such bot, task, response or path.
pub const NOT_FOUND: &str = "not_found";
/// 409: the bot's mode has no such work.
pub const MODE: &str = "mode";
/// 409: the id is in use with other content, or the state forbids it.
pub const CONFLICT: &str = "conflict";
/// 409: it is final already.
pub const ALREADY_FINAL: &str = "already_final";
/// 409: nothing holds the slot.
pub const IDLE: &str = "idle";
/// The bot has other work and the prompt said `reject`.
pub const BUSY: &str = "busy";
/// The bot is paused and the prompt said `reject`.
pub const PAUSED: &str = "paused";
/// 429: too many prompts wait.
pub const QUEUE_FULL: &str = "queue_full";
/// 503: the bot is stopping.
pub const STOPPING: &str = "stopping";
/// 503: the store cannot be written.
pub const UNAVAILABLE: &str = "unavailable";
/// 413: a body or frame beyond the bound.
pub const TOO_LARGE: &str = "too_large";

/// Ended by `cancel`.
pub const CANCELLED: &str = "cancelled";
/// Ended by `interrupt`.
pub const INTERRUPTED: &str = "interrupted";
/// A chat turn that gave way to a prompt with `when_busy: interrupt`.
pub const SUPERSEDED: &str = "superseded";
/// The task's file was taken away while it waited.
pub const FILE_REMOVED: &str = "file_removed";
/// A waiting task's file was changed into something that is no task.
pub const FILE_REJECTED: &str = "file_rejected";
/// A task that it depends on did not complete, is part of a cycle, or never came.
pub const DEPENDENCY_FAILED: &str = "dependency_failed";
/// It used up its time.
pub const TIMED_OUT: &str = "timed_out";
/// The client left and did not come back.
pub const DISCONNECTED: &str = "disconnected";
/// A chat turn ended by `pause --now`.
pub const PAUSED_NOW: &str = "paused_now";
/// A chat turn ended by the bot's stop.
pub const STOPPED: &str = "stopped";
/// A chat turn ended by the daemon's crash.
pub const CRASHED: &str = "crashed";
/// A task that was running at `max_attempts` crashes.
pub const MAX_ATTEMPTS: &str = "max_attempts";
/// The adapter could not be started.
pub const ADAPTER_UNAVAILABLE: &str = "adapter_unavailable";
/// The agent's process ended with a failing status.
pub const EXIT_STATUS: &str = "exit_status";
/// The agent's process was ended by a signal.
pub const SIGNALLED: &str = "signalled";
/// The agent wants a login first.
pub const LOGIN_REQUIRED: &str = "login_required";
/// The agent refused to do it.
pub const REFUSED: &str = "refused";
/// An approval was not given; as the end of an item, the agent gave up because of that.
pub const DENIED: &str = "denied";
/// The agent ran into a limit of its model.
pub const MAX_TOKENS: &str = "max_tokens";
/// The agent asked its model more often than it may in one turn.
pub const MAX_TURN_REQUESTS: &str = "max_turn_requests";
/// The adapter broke.
pub const ADAPTER_ERROR: &str = "adapter_error";
/// An approval that nobody waits for any more.
pub const WITHDRAWN: &str = "withdrawn";
/// An earlier life's response answers the task.
pub const ANSWERED: &str = "answered";
/// The model's server does not accept the key.
pub const MODEL_UNAUTHORIZED: &str = "model_unauthorized";
/// The model's server refuses the request: no such model, or one that it cannot do.
pub const MODEL_REFUSED: &str = "model_refused";
/// The model's server cannot be reached, has too much to do, fails, or falls silent.
pub const MODEL_UNAVAILABLE: &str = "model_unavailable";
/// What answers is no server of chat completions, or its answer cannot be read.
pub const MODEL_ANSWER: &str = "model_answer";
/// The model's answer was cut at the server's bound of tokens.
pub const MODEL_LENGTH: &str = "model_length";
/// The model's answer was withheld or cut by the server's filter.
pub const MODEL_FILTERED: &str = "model_filtered";

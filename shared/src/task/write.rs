//! The form that hivectl and the API write: YAML front matter, and below it the instruction as it is.

use std::time::Duration;

use serde_json::{Map, Number, Value};

use super::{MAX_FRONT_MATTER_BYTES, MAX_TASK_BYTES, NotATask, is_blank};
use crate::front_matter;
use crate::ids::{BotId, ItemId};
use crate::time::Stamp;
use crate::work::Priority;

/// A task to be written. What is `None` is left to the reader's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Its id.
    pub id: ItemId,
    /// What the adapter is handed; it comes back from [`super::read`] byte for byte.
    pub instruction: String,
    /// One line for people.
    pub title: Option<String>,
    /// How soon it runs.
    pub priority: Option<Priority>,
    /// Who asks.
    pub from: Option<String>,
    /// The bot that is to do it.
    pub to: BotId,
    /// The present time.
    pub created: Stamp,
    /// The time it may use in the slot, above zero.
    pub limit: Option<Duration>,
    /// Whether chat may preempt it.
    pub interruptible: Option<bool>,
    /// Tasks of the same bot that must complete first.
    pub depends_on: Vec<ItemId>,
    /// The task that it repeats.
    pub retry_of: Option<ItemId>,
}

/// Writes a task document. Refuses a blank instruction, and what would be larger than a reader takes.
pub fn write(task: &NewTask) -> Result<String, NotATask> {
    if is_blank(&task.instruction) {
        return Err(NotATask::NoInstruction);
    }
    let mut document = front_matter::emit(&fields(task));
    if document.len() > MAX_FRONT_MATTER_BYTES {
        return Err(NotATask::FrontMatterTooLong(document.len()));
    }
    let size = document.len() + task.instruction.len();
    if size > MAX_TASK_BYTES {
        return Err(NotATask::TooLarge(size));
    }
    document.push_str(&task.instruction);
    Ok(document)
}

fn fields(task: &NewTask) -> Map<String, Value> {
    let ids = |ids: &[ItemId]| ids.iter().map(|id| Value::from(id.as_str())).collect::<Vec<_>>();
    let optional = [
        ("task_id", Some(Value::from(task.id.as_str()))),
        ("title", task.title.as_deref().map(Value::from)),
        ("priority", task.priority.map(|priority| Value::from(priority.as_str()))),
        ("from", task.from.as_deref().map(Value::from)),
        ("to", Some(Value::from(task.to.as_str()))),
        ("created_at", Some(Value::from(task.created.to_string()))),
        ("timeout_seconds", task.limit.map(seconds)),
        ("interruptible", task.interruptible.map(Value::from)),
        ("depends_on", (!task.depends_on.is_empty()).then(|| Value::from(ids(&task.depends_on)))),
        ("retry_of", task.retry_of.as_ref().map(|id| Value::from(id.as_str()))),
    ];
    optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Whole seconds as an integer, others as a fraction.
fn seconds(limit: Duration) -> Value {
    if limit.subsec_nanos() == 0 {
        return limit.as_secs().into();
    }
    Number::from_f64(limit.as_secs_f64()).map_or(Value::Null, Value::Number)
}

//! `hivectl submit`.

use std::path::PathBuf;
use std::time::Duration;

use hive_shared::api::{SubmitRequest, TaskDetail, TaskView, code};
use hive_shared::client::{ClientError, Followed, Submitted};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::{Stamp, parse_duration};
use hive_shared::work::Priority;

use super::documents::{self, Proposal};
use super::view::{self, Owned};
use crate::error::{Exit, Failure, OTHER_ID_HINT};
use crate::fleet::{Fleet, Located, Reach};
use crate::output::progress::{Count, Standing};
use crate::output::{Format, Printer};
use crate::waiting::{ShowProgress, Watcher, until_final};

const EXAMPLES: &str = r#"Examples:
  hivectl submit BOT-002 "Mend the login" --priority P1
  hivectl submit BOT-002 -f plan/*.md --wait --timeout 30m
  git diff | hivectl submit BOT-002 - --title "Review this" --follow
  id=$(hivectl submit BOT-002 "Run the tests" --id "tests-$GIT_SHA") && hivectl wait "$id""#;

/// Hand a task to a bot
///
/// It is a text, or task documents: Markdown with a header, YAML front matter or JSON. Flags count over what a
/// document says itself. All documents are read before the first is submitted. Where stdout is no terminal, the ids
/// alone are printed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// What the agent is to do, as it stands; '-' reads a task document from stdin
    #[arg(value_name = "TEXT", required_unless_present = "files", conflicts_with = "files")]
    pub text: Option<String>,
    /// Task documents, or quoted patterns such as 'plan/*.md'; '-' is stdin
    #[arg(short, long = "file", value_name = "FILE", num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// A title for people
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// P0 (first) to P3 (last)
    #[arg(short, long, value_name = "PRIORITY", value_parser = documents::priority)]
    pub priority: Option<Priority>,
    /// The time it may work, such as 90s or 10m [default: the bot's task_limit]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub limit: Option<Duration>,
    /// An id to submit it by: the same id and content again is the same task
    #[arg(long, value_name = "ID")]
    pub id: Option<ItemId>,
    /// Who asks
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Tasks of the same bot that must complete first, with commas between them
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub depends_on: Vec<ItemId>,
    /// Wait until it is final; fails if it fails
    #[arg(short, long)]
    pub wait: bool,
    /// Wait, and print what the agent says as it says it
    #[arg(long)]
    pub follow: bool,
    /// Give up waiting after so long; the work goes on
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

impl Args {
    /// Whether it is about the end, and not the beginning alone.
    pub fn waits(&self) -> bool {
        self.wait || self.follow
    }
}

/// Submits, and waits if asked to.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    if args.timeout.is_some() && !args.waits() {
        return Err(Failure::usage("--timeout is a limit to waiting").hint("add --wait or --follow"));
    }
    let mut counter = Counter { fleet, bot: &args.bot, reach: fleet.reach(&args.bot).await? };
    let proposals = documents::proposals(&args, out).await?;
    let of_many = proposals.len() > 1;
    let (tasks, failure) = submit(&args, &mut counter, proposals, out).await;
    let reach = counter.reach;
    out.settle();
    // Of one that failed nothing is the result.
    if of_many || failure.is_none() {
        let is_whole = failure.is_none() && args.waits();
        report_submitted(&args, &tasks, of_many, is_whole, out);
    }
    match failure {
        Some(failure) => Err(failure),
        None if args.waits() => wait(&args, &reach, &tasks, fleet, out).await,
        None => Ok(Exit::Done),
    }
}

/// Submits one after the other. What is wrong with one of many does not keep back the others, but is told at once;
/// what would be wrong with all ends it.
async fn submit(
    args: &Args,
    counter: &mut Counter<'_>,
    proposals: Vec<Proposal>,
    out: &mut Printer,
) -> (Vec<TaskView>, Option<Failure>) {
    let total = proposals.len();
    let mut tasks: Vec<TaskView> = Vec::new();
    let mut missing = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    for (index, Proposal { name, request }) in proposals.into_iter().enumerate() {
        if failures.iter().any(|failure| failure.exit != Exit::Conflict && failure.exit != Exit::Usage) {
            missing.push(name);
            continue;
        }
        if total > 1 {
            let count = Some(Count { done: index, total });
            out.progress(&Standing {
                text: format!("submitting {name} to {}", args.bot),
                count,
                clock: None,
            });
        }
        if index == 0 && matches!(counter.reach, Reach::Down(_)) {
            let what = if total > 1 { "the tasks" } else { "the task" };
            out.notice(&format!("{} is down: it finds {what} when it starts", args.bot));
        }
        match counter.hand_over(request, out).await {
            Ok(task) => {
                for warning in &task.warnings {
                    out.notice(&format!("{}: {warning}", task.task_id));
                }
                tasks.push(task);
            }
            Err(failure) if total == 1 => return (tasks, Some(failure)),
            Err(failure) => {
                let told = Failure { message: format!("{name}: {failure}"), ..failure };
                let _exit = out.failure(&told);
                failures.push(told);
                missing.push(name);
            }
        }
    }
    let worst = Exit::of_many(failures.iter().map(|failure| failure.exit));
    let failure = (!failures.is_empty()).then(|| {
        let failure = Failure::new(
            worst,
            format!("{} of {total} are submitted, all but {}", tasks.len(), missing.join(", ")),
        );
        if args.waits() { failure.hint("nothing is waited for: 'hivectl wait ID' does") } else { failure }
    });
    (tasks, failure)
}

/// Where tasks are handed over.
struct Counter<'a> {
    fleet: &'a Fleet,
    bot: &'a BotId,
    reach: Reach,
}

impl Counter<'_> {
    /// A bot that is up gets every task with an id. Where it goes before it has answered, it may have taken the task or
    /// not; by its id, that is the same task in its queue on the disk, and there is one of it.
    async fn hand_over(
        &mut self,
        mut request: SubmitRequest,
        out: &mut Printer,
    ) -> Result<TaskView, Failure> {
        let client = match &self.reach {
            Reach::Down(files) => return files.submit(&request),
            Reach::Up(client) => client,
        };
        request.id.get_or_insert_with(|| ItemId::generate("TASK", Stamp::now().timestamp()));
        match client.submit(&request).await {
            Ok(Submitted::New(task)) => Ok(task),
            Ok(Submitted::Known(task)) => {
                out.notice(&format!("{} was submitted before", task.task_id));
                Ok(task)
            }
            Err(error) => match self.fleet.files(self.bot).filter(|_| error.is_leaving()) {
                Some(files) => {
                    let task = files.submit(&request)?;
                    if !task.status.is_final() {
                        let bot = self.bot;
                        let id = &task.task_id;
                        out.notice(&if error.is_down() {
                            format!("{bot} does not answer; {id} is in its queue")
                        } else {
                            format!("{bot} is stopping; {id} waits for its next start")
                        });
                    }
                    self.reach = Reach::Down(files);
                    Ok(task)
                }
                None => Err(about_the_id(error)),
            },
        }
    }
}

/// Waits for what was submitted, and shows meanwhile what the agent says, if that is asked for.
async fn wait(
    args: &Args,
    reach: &Reach,
    tasks: &[TaskView],
    fleet: &Fleet,
    out: &mut Printer,
) -> Result<Exit, Failure> {
    let mut items = Vec::new();
    for task in tasks {
        items.push(located(&args.bot, reach, task).await?);
    }
    let streams = args.follow && out.format() == Format::Table;
    let ids = tasks.iter().map(|task| task.task_id.clone()).collect();
    let mut progress = ShowProgress;
    let mut stream = Stream { ids, said: String::new() };
    let watcher: &mut dyn Watcher = if streams { &mut stream } else { &mut progress };
    let waited = until_final(fleet, items, args.timeout, watcher, out).await;
    for detail in waited.details.iter().filter(|detail| detail.task.status.is_final()) {
        if streams {
            stream.end(detail, reach, out).await?;
        } else if out.format() == Format::Table && out.is_terminal() {
            out.result(&view::in_a_line(&detail.bot_id, &detail.task));
        }
        if let (Some(error), Format::Table) = (&detail.error, out.format()) {
            out.notice(&format!("{} ended {}: {error}", detail.task.task_id, detail.task.status));
        }
    }
    match (out.format(), waited.details.as_slice()) {
        (Format::Table, [one]) if !streams && one.response.as_ref().is_some_and(|text| !text.is_empty()) => {
            out.hint(&format!("'hivectl response {}' prints the answer", one.task.task_id));
        }
        (Format::Table, _) => {}
        (Format::Json, [one]) => out.one(one, |_| String::new()),
        (Format::Json | Format::Ndjson, _) => waited.tell(out),
    }
    waited.end()
}

/// A submission conflicts by its id alone.
fn about_the_id(error: ClientError) -> Failure {
    match &error {
        ClientError::Conflict { code, .. } if code == code::CONFLICT => {
            Failure::from(error).hint(OTHER_ID_HINT)
        }
        _ => error.into(),
    }
}

/// Tells what was submitted, as far as that is the result. Where all of it is waited for, in JSON the end is.
fn report_submitted(args: &Args, tasks: &[TaskView], of_many: bool, is_awaited: bool, out: &mut Printer) {
    let owned: Vec<_> = tasks.iter().map(|task| Owned { bot_id: &args.bot, task }).collect();
    match (out.format(), owned.as_slice()) {
        // What the agent says is the result.
        (Format::Table, _) if args.follow && is_awaited => {
            let ids: Vec<_> = tasks.iter().map(|task| task.task_id.as_str()).collect();
            out.notice(&format!("following {}", ids.join(", ")));
        }
        (Format::Table, _) if out.is_terminal() || out.format_is_chosen() => {
            let lines: String = tasks.iter().map(|task| view::in_a_line(&args.bot, task)).collect();
            out.result(&lines);
        }
        (Format::Table, _) => {
            for task in tasks {
                out.result(&format!("{}\n", task.task_id));
            }
        }
        (Format::Json | Format::Ndjson, _) if is_awaited => {}
        (Format::Json | Format::Ndjson, [one]) if !of_many => out.one(one, |_| String::new()),
        (Format::Json | Format::Ndjson, many) => out.many(many, |_| view::ended(&[])),
    }
}

async fn located(bot: &BotId, reach: &Reach, task: &TaskView) -> Result<Located, Failure> {
    let (detail, from_file) = match reach {
        Reach::Up(client) => (client.task(&task.task_id).await?, false),
        Reach::Down(files) => (files.waiting(task.clone()), true),
    };
    Ok(Located { bot: bot.clone(), reach: reach.clone(), detail, from_file })
}

/// Prints what the agent says about the tasks, which a bot runs one after the other.
struct Stream {
    ids: Vec<ItemId>,
    /// What was printed of the task that runs.
    said: String,
}

impl Watcher for Stream {
    fn watch(&mut self, bot: &BotId, followed: &Followed, out: &mut Printer) {
        match followed {
            Followed::Chunk { entry_id, offset, content }
                if self.ids.iter().any(|id| id.as_str() == entry_id) =>
            {
                // What is void stays on the screen: what still counts is said again below it.
                let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
                if offset < self.said.len() {
                    out.notice("the task started over; what was said before is void");
                    self.said.truncate(self.said.floor_char_boundary(offset));
                    out.foreign(&self.said);
                }
                out.foreign(content);
                self.said.push_str(content);
            }
            Followed::Disconnected(reason) => {
                out.notice(&format!("{bot} does not answer ({reason}); trying again"));
            }
            Followed::Connected | Followed::Restarted | Followed::Entry(_) | Followed::Chunk { .. } => {}
        }
    }

    /// What the agent says shows how it stands.
    fn shows_standing(&self) -> bool {
        false
    }
}

impl Stream {
    /// Prints what of the response was not streamed: a follower gets the beginning of a long one alone.
    async fn end(&mut self, detail: &TaskDetail, reach: &Reach, out: &mut Printer) -> Result<(), Failure> {
        let said = std::mem::take(&mut self.said);
        let whole = match (&detail.response, reach) {
            (Some(response), _) if !detail.content_truncated => response.clone(),
            (_, Reach::Up(client)) => match client.response(&detail.task.task_id).await {
                Ok(document) => hive_shared::response::read(&document)
                    .map_or_else(|_| document.clone(), |(_, text)| text.to_owned()),
                Err(_) => String::new(),
            },
            (_, Reach::Down(_)) => String::new(),
        };
        if let Some(rest) = whole.strip_prefix(&said) {
            out.foreign(rest);
        }
        if out.is_terminal() && !whole.ends_with('\n') {
            out.result("\n");
        }
        Ok(())
    }
}

//! `hivectl submit`.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hive_shared::api::{SubmitRequest, TaskDetail, TaskView, code};
use hive_shared::client::{ClientError, Followed, Submitted};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::task::{self, MAX_TASK_BYTES, Reading, UNKNOWN_SENDER};
use hive_shared::time::{Stamp, parse_duration};
use hive_shared::work::Priority;
use jiff::tz::TimeZone;

use super::view::{self, Owned};
use crate::error::{Exit, Failure, OTHER_ID_HINT};
use crate::fleet::{Fleet, Located, Reach};
use crate::output::progress::{Count, Standing};
use crate::output::{Format, Printer};
use crate::waiting::{ShowProgress, Watcher, until_final};

const EXAMPLES: &str = r#"Examples:
  hivectl submit BOT-002 "Mend the login" --priority P1
  hivectl submit BOT-002 -f plan/*.md --wait --timeout 30m
  id=$(hivectl submit BOT-002 "Run the tests") && hivectl wait $id"#;

/// Hand a task to a bot
///
/// It is a text, or task documents: Markdown with a header, YAML front matter or JSON. Flags count over what a
/// document says itself. Where stdout is no terminal, the id alone is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bot
    #[arg(value_name = "BOT")]
    pub bot: BotId,
    /// What the agent is to do, as it stands; '-' reads a task document from stdin
    #[arg(value_name = "TEXT", required_unless_present = "files", conflicts_with = "files")]
    pub text: Option<String>,
    /// Task documents; '-' is stdin
    #[arg(short, long = "file", value_name = "FILE", num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// A title for people
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// P0 (first) to P3 (last)
    #[arg(long, value_name = "PRIORITY")]
    pub priority: Option<Priority>,
    /// The time it may work, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub limit: Option<Duration>,
    /// An id to submit it by: the same id and content again is the same task
    #[arg(long, value_name = "ID")]
    pub id: Option<ItemId>,
    /// Who asks
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Tasks of the same bot that must complete first
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub depends_on: Vec<ItemId>,
    /// Wait until it is final; fails if it fails
    #[arg(short, long)]
    pub wait: bool,
    /// Wait, and print what the agent says as it says it
    #[arg(long)]
    pub follow: bool,
    /// Give up waiting after so long; the work goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// Submits, and waits if asked to.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    if args.timeout.is_some() && !args.wait && !args.follow {
        return Err(Failure::usage("--timeout is a limit to waiting").hint("add --wait or --follow"));
    }
    let reach = fleet.reach(&args.bot).await?;
    let requests = requests(&args, out)?;
    let mut tasks = Vec::new();
    let total = requests.len();
    for request in requests {
        if total > 1 {
            let count = Some(Count { done: tasks.len(), total });
            out.progress(&Standing { text: format!("submitting to {}", args.bot), count, clock: None });
        }
        let task = match &reach {
            Reach::Up(client) => match client.submit(&request).await.map_err(about_the_id)? {
                Submitted::New(task) => task,
                Submitted::Known(task) => {
                    out.notice(&format!("{} was submitted before", task.task_id));
                    task
                }
            },
            Reach::Down(files) => {
                if tasks.is_empty() {
                    out.notice(&format!("{} is down: it finds the task when it starts", args.bot));
                }
                files.submit(&request)?
            }
        };
        for warning in &task.warnings {
            out.notice(&format!("{}: {warning}", task.task_id));
        }
        tasks.push(task);
    }
    out.settle();
    let waits = args.wait || args.follow;
    report_submitted(&args, &tasks, waits, out);
    if !waits {
        return Ok(Exit::Done);
    }
    let mut items = Vec::new();
    for task in &tasks {
        items.push(located(&args.bot, &reach, task).await?);
    }
    let ids: Vec<_> = tasks.iter().map(|task| task.task_id.clone()).collect();
    let streams = args.follow && out.format() == Format::Table;
    let mut progress = ShowProgress;
    let mut stream = Stream { ids, said: String::new() };
    let watcher: &mut dyn Watcher = if streams { &mut stream } else { &mut progress };
    let waited = until_final(fleet, items, args.timeout, watcher, out).await;
    for detail in waited.details.iter().filter(|detail| detail.task.status.is_final()) {
        if streams {
            stream.end(detail, &reach, out).await?;
        } else if out.format() == Format::Table && out.is_terminal() {
            out.result(&view::in_a_line(&detail.bot_id, &detail.task));
        }
        if let (Some(error), Format::Table) = (&detail.error, out.format()) {
            out.notice(&format!("{} ended {}: {error}", detail.task.task_id, detail.task.status));
        }
    }
    match (waited.details.as_slice(), out.format()) {
        (_, Format::Table) => {}
        ([one], _) => out.one(one, |_| String::new()),
        (many, _) => out.many(many, view::ended),
    }
    match &waited.failure {
        Some(failure) => Err(failure.clone()),
        None => Ok(waited.exit()),
    }
}

/// What is to be submitted: the text, or each document, with what the flags say over what it says itself.
fn requests(args: &Args, out: &mut Printer) -> Result<Vec<SubmitRequest>, Failure> {
    let mut requests = Vec::new();
    match args.text.as_deref() {
        Some("-") => requests.push(document(args, Path::new("-"), out)?),
        Some(text) => {
            requests.push(SubmitRequest { instruction: text.to_owned(), ..SubmitRequest::default() });
        }
        None => {
            for path in &args.files {
                requests.push(document(args, path, out)?);
            }
        }
    }
    if args.id.is_some() && requests.len() > 1 {
        return Err(
            Failure::usage("--id is for one task").hint("write ids into the headers of the documents")
        );
    }
    for request in &mut requests {
        if request.instruction.trim().is_empty() {
            return Err(Failure::usage("there is nothing to do: the instruction is empty"));
        }
        request.title = args.title.clone().or(request.title.take());
        request.priority = args.priority.or(request.priority);
        request.timeout_seconds = args.limit.map(|limit| limit.as_secs_f64()).or(request.timeout_seconds);
        request.id = args.id.clone().or(request.id.take());
        request.from = args.from.clone().or(request.from.take());
        if !args.depends_on.is_empty() {
            request.depends_on.clone_from(&args.depends_on);
        }
    }
    Ok(requests)
}

fn document(args: &Args, path: &Path, out: &mut Printer) -> Result<SubmitRequest, Failure> {
    let io = |error: io::Error| Failure::io("read", path, &error);
    // One byte more than a task may have tells that there are too many.
    let bound = MAX_TASK_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let (file_name, modified) = if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            out.notice("write the task, and end it with Ctrl-D");
        }
        stdin.lock().take(bound).read_to_end(&mut bytes).map_err(io)?;
        (format!("{}.md", ItemId::generate("TASK", Stamp::now().timestamp())), Stamp::now())
    } else {
        let file = std::fs::File::open(path).map_err(io)?;
        let modified =
            file.metadata().and_then(|meta| meta.modified()).map_or_else(|_| Stamp::now(), Stamp::from);
        file.take(bound).read_to_end(&mut bytes).map_err(io)?;
        (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), modified)
    };
    let reading =
        Reading { file_name: &file_name, modified, bot: &args.bot, bots: &[], zone: &TimeZone::system() };
    let task = task::read(&bytes, &reading)
        .map_err(|error| Failure::usage(format!("{} is no task: {error}", path.display())))?;
    for warning in &task.warnings {
        out.notice(&format!("{}: {warning}", path.display()));
    }
    Ok(SubmitRequest {
        instruction: task.instruction,
        title: Some(task.title),
        priority: Some(task.priority),
        timeout_seconds: task.limit.map(|limit| limit.as_secs_f64()),
        id: Some(task.id),
        from: (task.from != UNKNOWN_SENDER).then_some(task.from),
        depends_on: task.depends_on,
        interruptible: (!task.interruptible).then_some(false),
    })
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

/// Tells what was submitted, as far as that is the result.
fn report_submitted(args: &Args, tasks: &[TaskView], waits: bool, out: &mut Printer) {
    let owned: Vec<_> = tasks.iter().map(|task| Owned { bot_id: &args.bot, task }).collect();
    match (out.format(), owned.as_slice()) {
        // What the agent says is the result.
        (Format::Table, _) if args.follow => {
            let ids: Vec<_> = tasks.iter().map(|task| task.task_id.as_str()).collect();
            out.notice(&format!("following {}", ids.join(", ")));
        }
        (Format::Table, _) if out.is_terminal() => {
            let lines: String = tasks.iter().map(|task| view::in_a_line(&args.bot, task)).collect();
            out.result(&lines);
        }
        (Format::Table, _) if !out.format_is_chosen() => {
            for task in tasks {
                out.result(&format!("{}\n", task.task_id));
            }
        }
        (Format::Table, _) => {
            let lines: String = tasks.iter().map(|task| view::in_a_line(&args.bot, task)).collect();
            out.result(&lines);
        }
        // The end is the result.
        (Format::Json | Format::Ndjson, _) if waits => {}
        (Format::Json | Format::Ndjson, [one]) => out.one(one, |_| String::new()),
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

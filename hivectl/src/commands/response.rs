//! `hivectl response`.

use hive_shared::response::{self, ResponseHeader};
use serde::Serialize;

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef, Reach};
use crate::output::{Format, Printer};

const EXAMPLES: &str = "\
Examples:
  hivectl response TASK-7 > review.md
  hivectl response TASK-7 -o json | jq .usage";

/// Print the response to a task or prompt
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task or prompt, as ID or BOT/ID
    #[arg(value_name = "ID")]
    pub item: ItemRef,
}

/// A response document in JSON: its front matter, and its text as `content`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    header: ResponseHeader,
    content: &'a str,
}

/// Prints a response. Its end decides the exit status no more than with `cat`.
pub async fn run(args: &Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let located = fleet.locate(&args.item, out).await?;
    let document = match &located.reach {
        Reach::Up(client) => client.response(&args.item.id).await.map_err(|error| {
            let status = located.detail.task.status;
            Failure::from(error).hint(format!("{} is {status}", args.item.id))
        })?,
        Reach::Down(files) => {
            files.announce(out);
            files.response(&args.item.id)?.ok_or_else(|| {
                Failure::new(Exit::NotFound, format!("there is no response to {} yet", args.item.id))
            })?
        }
    };
    match response::read(&document) {
        Ok((_, text)) if out.format() == Format::Table => {
            out.foreign(text);
            if out.is_terminal() && !text.ends_with('\n') {
                out.result("\n");
            }
        }
        Ok((header, content)) => out.one(&Document { header, content }, |_| String::new()),
        // An earlier system's response has a header of its own, and is for people.
        Err(_) if out.format() == Format::Table => out.foreign(&document),
        Err(error) => return Err(Failure::new(Exit::Failed, crate::error::chain(&error))),
    }
    Ok(Exit::Done)
}

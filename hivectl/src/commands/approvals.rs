//! `hivectl approvals`, and how the commands that answer find what waits.

use std::time::Duration;

use futures::future::join_all;
use hive_shared::api::{Approval, code};
use hive_shared::chat::ApprovalOption;
use hive_shared::client::{Client, ClientError};
use hive_shared::ids::{BotId, ItemId};
use hive_shared::time::{Stamp, show_duration};
use serde::Serialize;

use crate::error::{Exit, Failure};
use crate::fleet::{Fleet, ItemRef, Reach, down, in_time};
use crate::output::Printer;
use crate::output::escape::{Place, escape};
use crate::output::table::{Cell, Paint, Table};

/// With less time than this until it is denied, a request stands out.
const SOON: Duration = Duration::from_mins(1);

const EXAMPLES: &str = "\
Examples:
  hivectl approvals
  hivectl approve CTL-12                 # once
  hivectl approve CTL-12 allow_always
  hivectl deny CTL-12
  hivectl approvals -o json | jq -r '.[].approval_id'";

/// List what agents ask permission for, the oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; all of the hive if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
}

/// Lists what waits for an answer.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let bots = fleet.bots(&args.bots, out).await?;
    let is_named = !args.bots.is_empty();
    let (mut waiting, mut exits) = (Vec::new(), Vec::new());
    for looked in look(&bots, is_named, fleet).await {
        match looked {
            Ok(Some((_, approvals))) => waiting.extend(approvals),
            Ok(None) => {}
            Err(failure) => exits.push(out.failure(&failure)),
        }
    }
    waiting.sort_by_key(|approval| approval.requested_at);
    let why = match bots.as_slice() {
        [bot] => format!("nothing waits for an answer on {bot}"),
        _ => "nothing waits for an answer".to_owned(),
    };
    if exits.is_empty() || !waiting.is_empty() {
        out.listing(&waiting, table, || why);
    }
    if !waiting.is_empty() {
        out.hint("'hivectl approve ID [OPTION]' allows one, 'hivectl deny ID' refuses it");
    }
    Ok(Exit::of_many(exits))
}

type Waiting = (Client, Vec<Approval>);

/// What waits for each bot; nothing for one that is down, unless it is needed.
async fn look(bots: &[BotId], needs_all: bool, fleet: &Fleet) -> Vec<Result<Option<Waiting>, Failure>> {
    join_all(bots.iter().map(|bot| async move {
        match in_time(ask(bot, fleet)).await {
            Ok(None) if needs_all => Err(down(bot)),
            Ok(waiting) => Ok(waiting),
            Err(failure) => Err(failure.of(bot)),
        }
    }))
    .await
}

async fn ask(bot: &BotId, fleet: &Fleet) -> Result<Option<Waiting>, Failure> {
    match fleet.reach(bot).await? {
        Reach::Up(client) => {
            let approvals = client.approvals().await?.approvals;
            Ok(Some((*client, approvals)))
        }
        Reach::Down(_) => Ok(None),
    }
}

fn table(approvals: &[Approval]) -> Table {
    let mut table = Table::new(&["BOT", "ID", "FOR", "LEFT", "OPTIONS", "WHAT"])
        .gives_way("OPTIONS", 12)
        .gives_way("FOR", 12)
        .last_at_least(24)
        .dispensable(&["OPTIONS", "BOT"]);
    let now = Stamp::now();
    for approval in approvals {
        let left = approval.deadline.since(now);
        let paint = if left < SOON { Paint::Red } else { Paint::Yellow };
        table.row(vec![
            approval.bot_id.as_str().into(),
            Cell::painted(approval.approval_id.as_str(), Paint::Bold),
            approval.id.as_str().into(),
            Cell::painted(show_duration(left), paint),
            ids(&approval.options).into(),
            what(approval).into(),
        ]);
    }
    table
}

fn ids(options: &[ApprovalOption]) -> String {
    options.iter().map(|option| option.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// `edit: Write the parser (src/parser.rs)`.
fn what(approval: &Approval) -> String {
    let kind = approval.kind.as_ref().map(|kind| format!("{kind}: ")).unwrap_or_default();
    let places = match approval.locations.as_slice() {
        [] => String::new(),
        places => format!(" ({})", places.join(", ")),
    };
    format!("{kind}{}{places}", approval.title)
}

/// An answer that was given.
#[derive(Debug, Serialize)]
struct Answered {
    bot_id: BotId,
    approval_id: String,
    /// The task or prompt that goes on.
    id: String,
    title: String,
    /// What was answered.
    option: ApprovalOption,
}

/// Answers a request with the option that `choose` finds among those there are. `word` is what the user asked for, an
/// option or a kind of them.
pub(super) async fn answer(
    item: &ItemRef,
    word: &str,
    choose: impl FnOnce(&Approval) -> Result<ApprovalOption, Failure>,
    fleet: &Fleet,
    out: &mut Printer,
) -> Result<Exit, Failure> {
    let (client, approval) = find(item, word, fleet, out).await?;
    let option = choose(&approval)?;
    client.answer_approval(&approval.approval_id, &option.id).await.map_err(|error| match error {
        // It was there a moment ago.
        ClientError::NotFound { .. } => {
            past(format!("{} has been answered meanwhile, or withdrawn", item.id))
        }
        ClientError::Conflict { code, message } if code == code::ALREADY_FINAL => past(message),
        other => other.into(),
    })?;
    let answered = Answered {
        bot_id: approval.bot_id,
        approval_id: approval.approval_id.to_string(),
        id: approval.id.to_string(),
        title: approval.title,
        option,
    };
    out.one(&answered, |answered| {
        let Answered { bot_id, approval_id, id, title, option } = answered;
        let text = format!("{approval_id} of {bot_id} is answered: {} ({id}: {title})", option.name);
        escape(&text, Place::Line) + "\n"
    });
    Ok(Exit::Done)
}

/// The failure that a request does not wait any more.
fn past(message: String) -> Failure {
    Failure::new(Exit::Conflict, message).hint("'hivectl timeline --source control' tells what became of it")
}

/// Why a request that is not among those that wait cannot be answered, if the bot knows that it once waited. It tells
/// whoever answers, and then takes no answer.
pub(super) async fn why_not(client: &Client, id: &ItemId, word: &str) -> Option<Failure> {
    match client.answer_approval(id, word).await {
        Err(ClientError::Conflict { code, message }) if code == code::ALREADY_FINAL => Some(past(message)),
        Ok(()) | Err(_) => None,
    }
}

async fn find(
    item: &ItemRef,
    word: &str,
    fleet: &Fleet,
    out: &mut Printer,
) -> Result<(Client, Approval), Failure> {
    let named: Vec<_> = item.bot.iter().cloned().collect();
    let bots = fleet.bots(&named, out).await?;
    let (mut found, mut others) = (Vec::new(), Vec::new());
    let mut trouble = None;
    for looked in look(&bots, item.bot.is_some(), fleet).await {
        match looked {
            Ok(None) => {}
            Ok(Some((client, approvals))) => {
                match approvals.into_iter().find(|approval| approval.approval_id == item.id) {
                    Some(approval) => found.push((client, approval)),
                    None => others.push(client),
                }
            }
            Err(failure) => trouble = trouble.or(Some(failure)),
        }
    }
    if found.is_empty() {
        let whys = others.iter().map(|client| in_time(async { Ok(why_not(client, &item.id, word).await) }));
        // A bot that does not tell in time knows nothing of it.
        let mut known = join_all(whys).await.into_iter().filter_map(|why| why.ok().flatten());
        if let Some(why) = known.next() {
            return Err(why);
        }
    }
    match (found.len(), trouble) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(failure)) => Err(failure),
        (0, None) => Err(Failure::new(Exit::NotFound, format!("no approval {} waits for an answer", item.id))
            .hint("'hivectl approvals' lists what waits; this may have been answered, or denied when its time was up")),
        (_, _) => {
            let refs: Vec<_> = found.iter().map(|(client, _)| format!("{}/{}", client.bot(), item.id)).collect();
            Err(Failure::usage(format!("{} is an approval of several bots", item.id))
                .hint(format!("write {}", refs.join(" or "))))
        }
    }
}

/// The option that is named by its id, its name or its kind.
pub(super) fn option_named(approval: &Approval, name: &str) -> Result<ApprovalOption, Failure> {
    let is = |field: &str| field.eq_ignore_ascii_case(name);
    let options = &approval.options;
    // What is exactly an id is that, whatever another is called.
    let by_id = options.iter().find(|option| option.id == name);
    let found = by_id.or_else(|| options.iter().find(|o| is(&o.id) || is(&o.name) || is(&o.kind)));
    found.cloned().ok_or_else(|| {
        Failure::usage(format!("{} has no option '{name}'", approval.approval_id))
            .hint(options_hint(approval))
    })
}

/// The option of the kind that is asked for, `allow` or `reject`: once rather than for ever.
pub(super) fn option_of_kind(approval: &Approval, kind: &str) -> Result<ApprovalOption, Failure> {
    let once = format!("{kind}_once");
    let options = &approval.options;
    let found = options.iter().find(|option| option.kind == once);
    let found = found.or_else(|| options.iter().find(|option| option.kind.starts_with(&format!("{kind}_"))));
    found.cloned().ok_or_else(|| {
        Failure::usage(format!("{} has no option to {kind}", approval.approval_id))
            .hint(options_hint(approval))
    })
}

fn options_hint(approval: &Approval) -> String {
    let options: Vec<_> =
        approval.options.iter().map(|o| format!("{} ({}, {})", o.id, o.name, o.kind)).collect();
    format!("'hivectl approve {} OPTION' with one of: {}", approval.approval_id, options.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(options: &[(&str, &str, &str)]) -> Approval {
        let options: Vec<_> = options
            .iter()
            .map(|(id, kind, name)| serde_json::json!({"id": id, "kind": kind, "name": name}))
            .collect();
        serde_json::from_value(serde_json::json!({"approval_id": "CTL-12", "bot_id": "BOT-1", "id": "TASK-1",
            "source": "file", "title": "Write the parser", "kind": "edit", "locations": ["src/a.rs", "src/b.rs"],
            "options": options, "requested_at": "2026-11-22T18:05:27Z", "deadline": "2026-11-22T18:10:27Z"}))
        .unwrap()
    }

    #[test]
    fn an_option_is_found_by_id_name_or_kind() {
        let approval = approval(&[
            ("always", "allow_always", "Always allow"),
            ("yes", "allow_once", "Allow"),
            ("no", "reject_once", "yes, but no"),
        ]);
        for (name, id) in [("yes", "yes"), ("YES", "yes"), ("allow", "yes"), ("Allow_Always", "always")] {
            assert_eq!(option_named(&approval, name).unwrap().id, id, "{name}");
        }
        let wrong = option_named(&approval, "perhaps").unwrap_err();
        assert_eq!(wrong.exit, Exit::Usage);
        assert!(wrong.hint.unwrap().contains("yes (Allow, allow_once)"));
    }

    #[test]
    fn what_is_allowed_or_denied_is_so_once_where_that_can_be_had() {
        let all = approval(&[
            ("a", "allow_always", "A"),
            ("o", "allow_once", "O"),
            ("never", "reject_always", "N"),
            ("r", "reject_once", "R"),
        ]);
        let ids = |approval: &Approval| {
            ["allow", "reject"].map(|kind| option_of_kind(approval, kind).map(|o| o.id).map_err(|f| f.exit))
        };
        assert_eq!(ids(&all), [Ok("o".into()), Ok("r".into())]);
        let always = approval(&[("a", "allow_always", "A"), ("never", "reject_always", "N")]);
        assert_eq!(ids(&always), [Ok("a".into()), Ok("never".into())]);
        assert_eq!(ids(&approval(&[("x", "else", "X")])), [Err(Exit::Usage), Err(Exit::Usage)]);
    }

    #[test]
    fn what_waits_is_a_table() {
        let text = table(&[approval(&[("yes", "allow_once", "Yes"), ("no", "reject_once", "No")])]);
        let text = text.render(None, false).text;
        assert!(text.ends_with("yes, no  edit: Write the parser (src/a.rs, src/b.rs)\n"), "{text}");
    }
}

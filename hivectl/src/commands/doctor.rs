//! `hivectl doctor`.

mod bot;
mod finding;
mod hive;
mod machine;
mod process;
mod queue;

use std::fmt::Write;

use futures::future::join_all;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;

use self::finding::{Finding, Level};
use crate::error::{Exit, Failure};
use crate::fleet::Fleet;
use crate::output::escape::{Place, escape};
use crate::output::table::Paint;
use crate::output::{Format, Printer};

const EXAMPLES: &str = r#"Examples:
  hivectl doctor
  hivectl doctor BOT-002 -v
  hivectl doctor -o json | jq '.[] | select(.level == "error")'

Exit status: 0 nothing is in the way; 1 there is an error."#;

/// Look for what is commonly wrong, and say what to do about it
///
/// Looks at the hive, its settings and directories, this machine, and each bot with its process, its command and its
/// task files. It changes nothing. Shown is what could be better; with -v also what is well.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The bots; all of the hive if none is named
    #[arg(value_name = "BOT")]
    pub bots: Vec<BotId>,
}

/// Looks at everything.
pub async fn run(args: Args, fleet: &Fleet, out: &mut Printer) -> Result<Exit, Failure> {
    let hive = fleet.here("doctor")?;
    let bots = fleet.bots(&args.bots, out).await?;
    let settings = hive::settings(hive);
    let mut findings = hive::look(hive);
    let is_trusted = findings.iter().all(|finding| finding.level < Level::Error);
    findings.extend(settings.findings);
    findings.extend(machine::look(hive).await);
    if bots.is_empty() {
        findings.push(
            Finding::note("bots", "this hive has no bots yet").hint("'hivectl init --bot BOT-001' adds one"),
        );
    }
    let known = settings.settings.as_ref();
    let looks = bots.iter().map(|bot| bot::look(fleet, hive, bot, known, is_trusted));
    for (bot, found) in bots.iter().zip(join_all(looks).await) {
        findings.extend(found.into_iter().map(|finding| finding.of(bot)));
    }
    match out.format() {
        Format::Table => {
            let text = report(hive, &bots, &findings, out.is_verbose(), out.may_color());
            out.result(&text);
        }
        Format::Json | Format::Ndjson => {
            out.many(&findings, |_| unreachable!("it is JSON that was asked for"));
        }
    }
    let is_bad = findings.iter().any(|finding| finding.level == Level::Error);
    Ok(if is_bad { Exit::Failed } else { Exit::Done })
}

/// All in words: a paragraph for the hive and one for each bot, and a last line that sums it up.
fn report(hive: &Hive, bots: &[BotId], findings: &[Finding], verbose: bool, color: bool) -> String {
    let root = escape(&hive.root().display().to_string(), Place::Line);
    let mut text = group(&format!("The hive in {root}"), None, findings, verbose, color);
    for bot in bots {
        text += &group(bot.as_str(), Some(bot), findings, verbose, color);
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let many = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let sum = match (count(Level::Error), count(Level::Warning)) {
        (0, 0) => "Nothing is wrong.".to_owned(),
        (0, warnings) => format!("{}, no error.", many(warnings, "warning")),
        (errors, 0) => format!("{}.", many(errors, "error")),
        (errors, warnings) => format!("{}, {}.", many(errors, "error"), many(warnings, "warning")),
    };
    text + &sum + "\n"
}

fn group(head: &str, bot: Option<&BotId>, findings: &[Finding], verbose: bool, color: bool) -> String {
    let paint = |text: &str, paint: Option<Paint>| match paint {
        Some(paint) if color => paint.wrap(text),
        Some(_) | None => text.to_owned(),
    };
    let ours: Vec<_> = findings.iter().filter(|finding| finding.bot_id.as_ref() == bot).collect();
    let well = ours.iter().filter(|finding| finding.level == Level::Ok).count();
    let mut text = format!("{head}: {well} of {} checks are well\n", ours.len());
    for finding in ours.into_iter().filter(|finding| verbose || finding.level > Level::Ok) {
        let word = paint(&format!("{:7}", finding.level.as_str()), finding.level.paint());
        let message = escape(&finding.message, Place::Line);
        let _infallible = writeln!(text, "  {word}  {}: {message}", finding.check);
        if let Some(hint) = &finding.hint {
            let head = paint("hint:", Some(Paint::Dim));
            let _infallible = writeln!(text, "           {head} {}", escape(hint, Place::Line));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_is_counted_and_the_rest_is_told_with_its_hint() {
        let hive = Hive::at("/h");
        let bot = BotId::parse("BOT-1").unwrap();
        let findings = [
            Finding::ok("disk", "7 GiB are free"),
            Finding::warning("tasks", "a\x1b.md is empty").hint("'rm a.md'").of(&bot),
            Finding::error("command", "there is no 'x'").of(&bot),
        ];
        let bots = [bot];
        assert_eq!(
            report(&hive, &bots, &findings, false, false),
            "The hive in /h: 1 of 1 checks are well\n\
             BOT-1: 0 of 2 checks are well\n  \
             warning  tasks: a\\x1b.md is empty\n           hint: 'rm a.md'\n  \
             error    command: there is no 'x'\n\
             1 error, 1 warning.\n"
        );
        assert!(report(&hive, &bots, &findings, true, true).contains("\x1b[32mok     \x1b[0m  disk: 7 GiB"));
        assert!(report(&hive, &[], &findings[..1], false, false).ends_with("\nNothing is wrong.\n"));
    }
}

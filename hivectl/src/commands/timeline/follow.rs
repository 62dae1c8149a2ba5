//! The timeline as it goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, FuturesUnordered, SelectAll, StreamExt, select_all};
use hive_shared::api::{BotStatus, Entry};
use hive_shared::client::{ClientError, Followed, Follower};
use hive_shared::ids::BotId;
use hive_shared::work::{Kind, Status};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Args;
use super::going::Board;
use super::roll::{Look, Roll, item_id};
use crate::error::{Exit, Failure};
use crate::fleet::Fleet;
use crate::output::{Format, Printer};

/// How often the lines at the bottom move.
const TICK: Duration = Duration::from_millis(100);
/// How often at most a bot is asked how it is, for these lines.
const ASK: Duration = Duration::from_millis(100);

type Updates = SelectAll<BoxStream<'static, (BotId, Result<Followed, ClientError>)>>;

/// Shows the past, and then what happens.
pub(super) async fn run(
    args: &Args,
    past: Vec<Entry>,
    followers: Vec<Follower>,
    look: Look,
    fleet: &Fleet,
    out: &mut Printer,
) -> Exit {
    let bots: Vec<_> = followers.iter().map(|follower| follower.bot().clone()).collect();
    let mut view = View::new(args, look, bots.len() > 1, out);
    // That they are down was said.
    view.lost.extend(followers.iter().filter(|one| one.client().is_none()).map(|one| one.bot().clone()));
    view.begin(past, out);
    let mut updates = updates(followers);
    let mut asking = Asking::new(fleet);
    if view.shows_going {
        for bot in &bots {
            asking.ask(bot);
        }
    }
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut exit = Exit::Done;
    while !out.is_closed() {
        tokio::select! {
            update = updates.next() => match update {
                None => break,
                Some((bot, Ok(followed))) => {
                    // More words are shown with the next tick.
                    let is_more_than_words = !matches!(followed, Followed::Chunk { .. });
                    view.take(&bot, followed, out);
                    if is_more_than_words && view.shows_going {
                        asking.ask(&bot);
                        view.show_going(out);
                    }
                }
                Some((bot, Err(error))) => {
                    let failure = Failure::from(error);
                    exit = out.failure(&failure.of(&bot));
                }
            },
            Some(status) = asking.next() => {
                view.board.status(status);
                view.show_going(out);
            }
            _ = ticks.tick(), if view.board.is_busy() || asking.is_due() => {
                asking.go_on();
                view.show_going(out);
            }
        }
    }
    exit
}

fn updates(followers: Vec<Follower>) -> Updates {
    select_all(followers.into_iter().map(|follower| {
        stream::unfold(Some(follower), |follower| async {
            let mut follower = follower?;
            let bot = follower.bot().clone();
            let next = follower.next().await;
            // What another attempt would not mend ends this bot's part.
            let go_on = next.is_ok().then_some(follower);
            Some(((bot, next), go_on))
        })
        .boxed()
    }))
}

/// What was shown, and how.
struct View<'a> {
    args: &'a Args,
    roll: Roll,
    in_lines: bool,
    /// Whether what is not over shows in lines at the bottom, so that it needs no row.
    has_bottom: bool,
    /// Whether there is anything to show there: not if the filters ask for what is over.
    shows_going: bool,
    board: Board,
    /// The entries of the past by their last change: what is told again of them is known.
    known: HashMap<(BotId, String), u64>,
    lost: BTreeSet<BotId>,
    /// The prompts and replies that were seen.
    seen: HashSet<(BotId, String)>,
}

impl<'a> View<'a> {
    fn new(args: &'a Args, look: Look, of_many: bool, out: &Printer) -> Self {
        let has_bottom = out.shows_going();
        Self {
            args,
            roll: Roll::open(look),
            in_lines: out.format() == Format::Ndjson,
            has_bottom,
            shows_going: has_bottom && args.status.is_empty() && args.kind.is_empty() && args.grep.is_none(),
            board: Board::new(of_many),
            known: HashMap::new(),
            lost: BTreeSet::new(),
            seen: HashSet::new(),
        }
    }

    fn begin(&mut self, mut past: Vec<Entry>, out: &mut Printer) {
        for entry in &past {
            self.known.insert(key(entry), entry.seq);
        }
        if self.in_lines {
            for entry in &past {
                out.json_line(entry);
            }
            return;
        }
        if self.has_bottom {
            past.retain(|entry| self.has_row(entry));
        }
        self.roll.add_all(&past);
        out.begin(self.roll.table());
    }

    /// Shows what goes on, as it is now.
    fn show_going(&self, out: &mut Printer) {
        let lines = self.board.lines(out.width(), &self.args.source);
        out.going(&lines);
    }

    /// Shows what happened.
    fn take(&mut self, bot: &BotId, followed: Followed, out: &mut Printer) {
        match followed {
            Followed::Entry(entry) => {
                self.board.entry(&entry);
                let is_known = self.known.remove(&key(&entry)).is_some_and(|seq| seq >= entry.seq);
                if !is_known && self.args.wants(&entry) {
                    self.show(&entry, out);
                }
            }
            Followed::Chunk { entry_id, offset, content } => {
                self.board.chunk(bot, &entry_id, offset, &content);
            }
            Followed::Disconnected(reason) => {
                self.board.forget(bot);
                if self.lost.insert(bot.clone()) {
                    out.notice(&format!("{bot} does not answer ({reason}); trying again"));
                }
            }
            Followed::Connected => {
                if self.lost.remove(bot) {
                    out.notice(&format!("{bot} answers again"));
                }
            }
            Followed::Restarted => {
                self.known.retain(|(of, _), _| of != bot);
                self.board.forget(bot);
                out.notice(&format!("{bot} has a new timeline, which follows from its start"));
            }
        }
    }

    fn show(&mut self, entry: &Entry, out: &mut Printer) {
        if self.in_lines {
            out.json_line(entry);
        } else if !self.has_bottom {
            self.roll.add(entry, entry.updated_at);
            out.rows(self.roll.table());
        } else if self.has_row(entry) {
            if entry.kind == Kind::Prompt && (!entry.status.is_final() || entry.status == Status::Completed) {
                self.roll.add_prompt(entry, entry.timestamp);
            } else {
                self.roll.add(entry, entry.updated_at);
            }
            out.rows(self.roll.table());
        }
    }

    /// Where what is not over shows at the bottom, a row is for what has ended, and for what somebody said.
    fn has_row(&mut self, entry: &Entry) -> bool {
        // Who asks for what is not over gets it.
        if !self.args.status.is_empty() {
            return true;
        }
        match entry.kind {
            Kind::Control => true,
            Kind::Task => entry.status.is_final(),
            Kind::Reply => {
                self.seen.insert(key(entry));
                entry.status.is_final()
            }
            Kind::Prompt => {
                let is_new = self.seen.insert(key(entry));
                let reply = (entry.bot_id.clone(), format!("{}-reply", item_id(entry)));
                // One that never got a reply tells itself how it ended.
                let ended = entry.status.is_final() && entry.status != Status::Completed;
                is_new || (ended && !self.seen.contains(&reply))
            }
        }
    }
}

fn key(entry: &Entry) -> (BotId, String) {
    (entry.bot_id.clone(), entry.entry_id.clone())
}

/// Asks bots how they are, each now and then.
struct Asking<'a> {
    fleet: &'a Fleet,
    asked: BTreeMap<BotId, Instant>,
    /// Those that are to be asked when it is time.
    due: BTreeSet<BotId>,
    answers: FuturesUnordered<BoxFuture<'a, Option<BotStatus>>>,
}

impl<'a> Asking<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        Self { fleet, asked: BTreeMap::new(), due: BTreeSet::new(), answers: FuturesUnordered::new() }
    }

    fn ask(&mut self, bot: &BotId) {
        self.due.insert(bot.clone());
        self.go_on();
    }

    fn go_on(&mut self) {
        let now = Instant::now();
        let asked = &mut self.asked;
        let ready = self.due.extract_if(.., |bot| asked.get(bot).is_none_or(|at| now - *at >= ASK));
        for bot in ready.collect::<Vec<_>>() {
            self.asked.insert(bot.clone(), now);
            let fleet = self.fleet;
            let status = async move { fleet.client(&bot).await.ok()?.status().await.ok() };
            self.answers.push(status.boxed());
        }
    }

    /// Whether anybody is to be asked soon.
    fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next answer; nothing if nobody was asked, or did not say.
    async fn next(&mut self) -> Option<BotStatus> {
        self.answers.next().await.flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::tests::args;
    use super::super::roll::tests::{entry, now};
    use super::*;
    use crate::output::tests::printer;

    /// What a terminal or a pipe is told of these changes, in words.
    fn told(terminal: bool, changes: &[&str]) -> Vec<String> {
        let (mut out, stdout, _) = printer(None, terminal);
        let args = args(&[]);
        let look = Look::new(&args, false, now(), &out);
        let mut view = View::new(&args, look, false, &out);
        for (seq, change) in (1..).zip(changes) {
            let entry = Entry { seq, ..entry(change) };
            view.take(&entry.bot_id.clone(), Followed::Entry(Box::new(entry)), &mut out);
        }
        let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        stdout.text().replace("\x1b[", "\0").lines().map(|line| words(&plain(line))).collect()
    }

    fn plain(line: &str) -> String {
        let mut parts = line.split('\0');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
    }

    const QUEUED: &str =
        r#"{"entry_id":"CHAT-1","source":"chat","kind":"prompt","status":"queued","content":"hi"}"#;
    const CANCELLED: &str =
        r#"{"entry_id":"CHAT-1","source":"chat","kind":"prompt","status":"cancelled","content":"hi"}"#;

    #[test]
    fn where_there_is_a_bottom_a_row_is_for_what_has_ended() {
        let task = |status: &str| format!(r#"{{"status":"{status}","title":"Mend it"}}"#);
        let changes = ["queued", "running", "suspended", "running", "completed"].map(task);
        let changes = changes.each_ref().map(String::as_str);
        assert_eq!(told(true, &changes), ["▪ completed TASK-1 Mend it"]);
        assert_eq!(told(false, &changes).len(), 5);
    }

    #[test]
    fn a_prompt_is_told_at_once_and_again_only_if_no_reply_tells_how_it_ended() {
        let reply = |status: &str| {
            format!(r#"{{"entry_id":"CHAT-1-reply","source":"chat","kind":"reply","status":"{status}"}}"#)
        };
        let (runs, ended) = (reply("running"), reply("cancelled"));
        assert_eq!(told(true, &[QUEUED, CANCELLED]), ["» CHAT-1 hi", "» cancelled CHAT-1 hi"]);
        assert_eq!(told(true, &[QUEUED, &runs, CANCELLED, &ended]), ["» CHAT-1 hi", "└ cancelled CHAT-1"]);
    }

    #[test]
    fn what_the_past_has_told_is_not_told_again() {
        let (mut out, stdout, _) = printer(Some(Format::Ndjson), false);
        let args = args(&[]);
        let mut view = View::new(&args, Look::new(&args, false, now(), &out), false, &out);
        let known = Entry { seq: 7, ..entry("{}") };
        view.begin(vec![known.clone()], &mut out);
        for seq in [7, 8, 9] {
            let entry = Entry { seq, ..known.clone() };
            view.take(&known.bot_id, Followed::Entry(Box::new(entry)), &mut out);
        }
        let seqs: Vec<_> = stdout.text().lines().map(|line| line[7..8].to_owned()).collect();
        assert_eq!(seqs, ["7", "8", "9"]);
    }
}

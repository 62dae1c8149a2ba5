//! Which bots there are, which of them are up, and which of them has an item (SPEC 10).

use std::str::FromStr;
use std::time::Duration;

use futures::future::join_all;
use hive_shared::api::TaskDetail;
use hive_shared::client::{Client, ClientError, Endpoint, Locator, Token, list_bots};
use hive_shared::ids::{BotId, IdError, ItemId};
use hive_shared::paths::{Hive, HiveError};
use tokio::time::timeout;

use crate::cli::Global;
use crate::error::{Exit, Failure};
use crate::files::Files;
use crate::output::Printer;

/// How long a bot on this machine may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a bot may take to answer where others are asked as well.
const ANSWER: Duration = Duration::from_secs(2);

/// What is said of a hive without bots.
pub const NO_BOTS: &str = "this hive has no bots yet: 'hivectl init --bot NAME' adds one";

/// The bots within reach: those of a hive, or one on another machine.
#[derive(Debug, Clone)]
pub struct Fleet {
    locator: Locator,
}

/// A bot, as it can be reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// It answers.
    Up(Box<Client>),
    /// It does not; its files are there.
    Down(Files),
}

/// An item, as the command line names it: `ID`, or `BOT/ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRef {
    /// The bot, where it is named.
    pub bot: Option<BotId>,
    /// The task or prompt.
    pub id: ItemId,
}

impl FromStr for ItemRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(match text.split_once('/') {
            Some((bot, id)) => Self { bot: Some(bot.parse()?), id: id.parse()? },
            None => Self { bot: None, id: text.parse()? },
        })
    }
}

/// An item that was found.
#[derive(Debug, Clone)]
pub struct Located {
    /// Whose it is.
    pub bot: BotId,
    /// How that bot can be reached.
    pub reach: Reach,
    /// How the item stands.
    pub detail: TaskDetail,
    /// Whether that is from a task file alone, which its bot may not have seen yet.
    pub from_file: bool,
}

impl Located {
    /// The bot, for what only a bot that is up can do.
    pub fn client(&self) -> Result<&Client, Failure> {
        match &self.reach {
            Reach::Up(client) => Ok(client),
            Reach::Down(_) => Err(down(&self.bot)),
        }
    }
}

/// What a bot answers, if it does so in time: one that hangs must not hold up the others.
pub async fn in_time<T>(answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(ANSWER, answer).await.unwrap_or_else(|_| {
        let limit = ANSWER.as_secs();
        Err(Failure::new(Exit::Unreachable, format!("it is there, but did not answer within {limit} s")))
    })
}

/// The failure that a bot is down.
pub fn down(bot: &BotId) -> Failure {
    Failure::new(Exit::Unreachable, format!("{bot} is down"))
        .hint(format!("start it with 'hivectl up {bot}'"))
}

impl Fleet {
    /// Finds the fleet that the command line, else the environment, names: flags beat the environment, so that
    /// `--hive` counts where `HIVE_URL` is set.
    pub fn find(global: &Global) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = global.url.clone().or_else(|| variable("HIVE_URL").filter(|_| global.hive.is_none()));
        let Some(url) = url else {
            let variable = variable("HIVE_DIR").filter(|_| global.hive.is_none());
            let named = global.hive.clone().or_else(|| variable.as_ref().map(Into::into));
            let hive = Hive::find(named.as_deref()).map_err(|error| match (error, &variable) {
                (HiveError::NotAHive(dir), None) => {
                    let hint = format!("make one with 'hivectl init {}'", dir.display());
                    Failure { hint: Some(hint), ..HiveError::NotAHive(dir).into() }
                }
                (HiveError::NotAHive(dir), Some(_)) => {
                    let hint = format!("HIVE_DIR names it; 'hivectl init {}' makes one", dir.display());
                    Failure { hint: Some(hint), ..HiveError::NotAHive(dir).into() }
                }
                (error, _) => error.into(),
            })?;
            return Ok(Self { locator: Locator::hive(hive) });
        };
        let token = match (&global.token_file, variable("HIVE_TOKEN")) {
            (Some(path), _) => Token::read(path)?,
            (None, Some(token)) => Token::new(&token)?,
            (None, None) => {
                return Err(Failure::new(Exit::Unauthorized, "there is no token for the bot at that URL")
                    .hint("name a file that holds it with --token-file, or set HIVE_TOKEN"));
            }
        };
        let ca = global.ca.clone().or_else(|| variable("HIVE_CA").map(Into::into));
        let endpoint = Endpoint::remote(&url, token, ca)?;
        if endpoint.is_exposed() && !global.insecure && variable("HIVE_INSECURE").is_none() {
            let message = format!(
                "the token would travel unencrypted to {}, for all on the way to read",
                endpoint.url()
            );
            return Err(Failure::usage(message).hint(
                "use https:// (tls_cert and tls_key in the bot's settings) or a tunnel that ends on this machine; \
                 --insecure sends it all the same",
            ));
        }
        Ok(Self { locator: Locator::Remote(endpoint) })
    }

    /// Where its bots are looked for.
    pub fn locator(&self) -> &Locator {
        &self.locator
    }

    /// The hive, for what needs its files and processes; a bot on another machine has none here.
    pub fn here(&self, command: &str) -> Result<&Hive, Failure> {
        match &self.locator {
            Locator::Hive(hive) => Ok(hive),
            Locator::Remote(endpoint) => Err(Failure::usage(format!(
                "'{command}' is for a hive on this machine, not for {}",
                endpoint.url()
            ))
            .hint(format!("run it there, or name a hive here: 'hivectl {command} --hive DIR'"))),
        }
    }

    /// The hive, unless the bot is elsewhere.
    pub fn hive(&self) -> Option<&Hive> {
        match &self.locator {
            Locator::Hive(hive) => Some(hive),
            Locator::Remote(_) => None,
        }
    }

    /// The files of a bot that exists, unless it is elsewhere.
    pub fn files(&self, bot: &BotId) -> Option<Files> {
        self.hive().map(|hive| files_of(hive, bot))
    }

    /// The bots that are named, which must exist; all there are if none is named.
    pub async fn bots(&self, named: &[BotId], out: &mut Printer) -> Result<Vec<BotId>, Failure> {
        let (bots, trouble) = self.known(named).await?;
        if let Some(trouble) = trouble {
            out.notice(&trouble);
        }
        Ok(bots)
    }

    /// The same, with what stands in the way of knowing all of them.
    pub async fn known(&self, named: &[BotId]) -> Result<(Vec<BotId>, Option<String>), Failure> {
        match &self.locator {
            Locator::Hive(hive) => {
                let bots = list_bots(hive);
                let trouble =
                    bots.settings_error.map(|error| format!("the settings cannot be read: {error}"));
                if named.is_empty() {
                    return Ok((bots.ids.into_iter().collect(), trouble));
                }
                if let Some(missing) = named.iter().find(|bot| !bots.ids.contains(*bot)) {
                    return Err(no_such_bot(missing, bots.ids.iter()));
                }
                Ok((without_repeats(named), trouble))
            }
            Locator::Remote(_) if !named.is_empty() => Ok((without_repeats(named), None)),
            Locator::Remote(endpoint) => {
                Ok((vec![Client::open_remote(endpoint.clone()).await?.bot().clone()], None))
            }
        }
    }

    /// The same for one of the bots that are known to exist.
    pub async fn reach_known(&self, bot: &BotId, known: &[BotId]) -> Result<Reach, Failure> {
        match (self.open(bot).await?, &self.locator) {
            (Ok(client), _) => Ok(Reach::Up(Box::new(client))),
            (Err(error), Locator::Hive(hive)) if error.is_down() => {
                Ok(Reach::Down(Files::new(hive.clone(), bot.clone(), known.to_vec())))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// A bot, which must exist, up or down.
    pub async fn reach(&self, bot: &BotId) -> Result<Reach, Failure> {
        match (self.open(bot).await?, &self.locator) {
            (Ok(client), _) => Ok(Reach::Up(Box::new(client))),
            (Err(error), Locator::Hive(hive)) if error.is_down() => {
                // Only now, as a bot that is up exists.
                let bots = list_bots(hive).ids;
                if bots.contains(bot) {
                    Ok(Reach::Down(Files::new(hive.clone(), bot.clone(), bots.into_iter().collect())))
                } else {
                    Err(no_such_bot(bot, bots.iter()))
                }
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Opens a bot, which must answer in time: one that hangs must not hold up the others.
    async fn open(&self, bot: &BotId) -> Result<Result<Client, ClientError>, Failure> {
        let opening = Client::open(&self.locator, bot);
        match &self.locator {
            // How long the way to another machine takes, nobody knows.
            Locator::Remote(_) => Ok(opening.await),
            Locator::Hive(_) => timeout(PATIENCE, opening).await.map_err(|_| {
                let limit = PATIENCE.as_secs();
                Failure::new(
                    Exit::Unreachable,
                    format!("{bot} is there, but did not answer within {limit} s"),
                )
                .hint(format!(
                    "its process hangs or is stopped: 'hivectl doctor {bot}' names it, and what to do"
                ))
            }),
        }
    }

    /// A bot that is up.
    pub async fn client(&self, bot: &BotId) -> Result<Client, Failure> {
        match self.reach(bot).await? {
            Reach::Up(client) => Ok(*client),
            Reach::Down(_) => Err(down(bot)),
        }
    }

    /// The bot that has an item, and the item. One that two bots have must be named `BOT/ID`.
    pub async fn locate(&self, item: &ItemRef, out: &mut Printer) -> Result<Located, Failure> {
        let bots = match &item.bot {
            Some(bot) => vec![bot.clone()],
            None => self.bots(&[], out).await?,
        };
        let looked = join_all(bots.iter().map(|bot| self.look(bot, &item.id))).await;
        let mut found = Vec::new();
        let mut trouble = None;
        for look in looked {
            match look {
                Ok(located) => found.extend(located),
                Err(failure) => trouble = trouble.or(Some(failure)),
            }
        }
        match (found.len(), trouble) {
            (1, _) => Ok(found.remove(0)),
            (0, Some(failure)) => Err(failure),
            (0, None) => Err(not_found(item)),
            (_, _) => {
                let names: Vec<_> = found.iter().map(|l| format!("{}/{}", l.bot, item.id)).collect();
                Err(Failure::usage(format!("{} is an id of several bots", item.id))
                    .hint(format!("write {}", names.join(" or "))))
            }
        }
    }

    async fn look(&self, bot: &BotId, id: &ItemId) -> Result<Option<Located>, Failure> {
        let reach = self.reach(bot).await?;
        let (detail, from_file) = match (&reach, &self.locator) {
            (Reach::Down(files), _) => (files.detail(id)?, true),
            (Reach::Up(client), locator) => match (client.task(id).await, locator) {
                (Ok(detail), _) => (Some(detail), false),
                // A file that was dropped this very moment.
                (Err(ClientError::NotFound { .. }), Locator::Hive(hive)) => {
                    (Files::new(hive.clone(), bot.clone(), Vec::new()).dropped(id), true)
                }
                (Err(ClientError::NotFound { .. }), Locator::Remote(_)) => (None, false),
                // It was there a moment ago.
                (Err(error), Locator::Hive(hive)) if error.is_leaving() => {
                    let files = files_of(hive, bot);
                    let detail = files.detail(id)?;
                    let reach = Reach::Down(files);
                    return Ok(detail.map(|detail| Located {
                        bot: bot.clone(),
                        reach,
                        detail,
                        from_file: true,
                    }));
                }
                (Err(error), _) => return Err(error.into()),
            },
        };
        Ok(detail.map(|detail| Located { bot: bot.clone(), reach, detail, from_file }))
    }
}

fn files_of(hive: &Hive, bot: &BotId) -> Files {
    Files::new(hive.clone(), bot.clone(), list_bots(hive).ids.into_iter().collect())
}

fn not_found(item: &ItemRef) -> Failure {
    let whose = item.bot.as_ref().map_or("no bot has a".to_owned(), |bot| format!("{bot} has no"));
    Failure::new(Exit::NotFound, format!("{whose} task or prompt '{}'", item.id))
        .hint("'hivectl tasks BOT --all' lists a bot's tasks")
}

fn no_such_bot<'a>(bot: &BotId, known: impl Iterator<Item = &'a BotId>) -> Failure {
    let known: Vec<_> = known.map(BotId::as_str).collect();
    let hint = match known.as_slice() {
        [] => NO_BOTS.to_owned(),
        bots => format!("the bots here are {}", bots.join(", ")),
    };
    Failure::new(Exit::NotFound, format!("there is no bot {bot} in this hive")).hint(hint)
}

fn without_repeats(bots: &[BotId]) -> Vec<BotId> {
    let mut seen = std::collections::BTreeSet::new();
    bots.iter().filter(|bot| seen.insert(*bot)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_may_name_its_bot() {
        let item: ItemRef = "BOT-1/TASK-2".parse().unwrap();
        assert_eq!((item.bot.unwrap().as_str(), item.id.as_str()), ("BOT-1", "TASK-2"));
        assert_eq!("TASK-2".parse::<ItemRef>().unwrap().bot, None);
        for bad in ["", "/", "BOT-1/", "../x", "BOT-1/a/b"] {
            assert!(bad.parse::<ItemRef>().is_err(), "{bad}");
        }
    }
}

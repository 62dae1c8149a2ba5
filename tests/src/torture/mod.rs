//! Kill torture (SPEC 12): a bot under load is killed again and again, and in the end held against what it owes.
//!
//! All that is random comes from one seed. How far the bot gets between two kills is the machine's affair, so that a
//! seed repeats what is done and not every race that it led to.

mod dice;
mod judge;
mod load;
mod onlooker;
mod person;
mod worker;

use std::time::Duration;

use hive_shared::client::{Client, Locator};
use tokio::time::{Instant, sleep};

use crate::agent::Agent;
use crate::hive::Hive;
use crate::wait::DEADLINE;
use dice::Dice;
use load::Load;
use onlooker::Onlooker;

pub use worker::Worker;

/// The places to die at; the longer way leads to one that comes again and again.
const PLACES: [&str; 17] = [
    "submitted",
    "seen",
    "started",
    "started>committed",
    "spawned",
    "suspended>committed",
    "resumed>committed",
    "ended",
    "ended>committed",
    "queued",
    "end synced",
    "response written",
    "response published",
    "file archived",
    "followers woken",
    "published synced",
    "settled>committed",
];

/// How long a life lasts that is to end at no place, or that does not come to its place, in milliseconds.
const LIFE: std::ops::Range<u64> = 5..400;
/// The time between two things that are done to the bot, in milliseconds.
const PACE: std::ops::Range<u64> = 0..15;

/// One torture: so many kills of one bot.
#[derive(Debug, Clone, Copy)]
pub struct Torture {
    /// Where all that is random comes from.
    pub seed: u64,
    /// How often the bot is killed.
    pub kills: u32,
    /// What its agent is.
    pub worker: Worker,
}

/// What it came to. That there was no fault goes without saying: a fault panics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Toll {
    /// Kills.
    pub kills: u32,
    /// Those of them that hit between two steps, at a place that was named beforehand.
    pub at_a_place: u32,
    /// File tasks and prompts that were accepted.
    pub items: usize,
    /// Those of them that completed.
    pub completed: u64,
}

impl std::ops::AddAssign for Toll {
    fn add_assign(&mut self, more: Self) {
        self.kills += more.kills;
        self.at_a_place += more.at_a_place;
        self.items += more.items;
        self.completed += more.completed;
    }
}

impl Torture {
    /// Does it.
    ///
    /// # Panics
    ///
    /// When the bot owes anything in the end, or does wrong on the way.
    pub async fn run(self) -> Toll {
        let mut dice = Dice::new(self.seed);
        let hive = self.worker.hive();
        let mut agent = Agent::start(&hive).await;
        let mut onlooker = Onlooker::of(client(&hive).await.expect("it is up"));
        agent.until("somebody looks on", async || (onlooker.known().seq > 0).then_some(())).await;
        let mut load = Load::new(self.worker, hive.clone(), Dice::new(dice.within(0..u64::MAX)));
        let mut toll = Toll::default();
        for _ in 1..self.kills {
            agent.kill9();
            toll.kills += 1;
            load.act_in_absence(&onlooker);
            let killed = std::mem::replace(&mut agent, life(&hive, &mut dice));
            if agent.ready_if_it_lives().await {
                killed
                    .until("what a killed life ran is gone", async || {
                        killed.descendants().is_empty().then_some(())
                    })
                    .await;
                let end = Instant::now() + Duration::from_millis(dice.within(LIFE));
                toll.at_a_place += u32::from(goes_on(&mut agent, &mut load, &onlooker, &mut dice, end).await);
            } else {
                toll.at_a_place += 1;
            }
            onlooker.is_content().await;
            load.look_after_people();
        }
        agent.kill9();
        toll.kills += 1;
        drop(agent);
        load.lift_pause();
        let mut agent = Agent::start(&hive).await;
        let client = client(&hive).await.expect("it is up");
        load.settle_submissions(&client).await;
        all_is_done(&client, &mut load, &onlooker, &hive).await;
        onlooker.is_content().await;
        judge::judge(self.worker, &hive, &client, &load, &onlooker, &mut toll).await;
        agent.terminate();
        let exit = agent.ended().await;
        assert!(exit.status.success(), "{exit:?}");
        assert_eq!(hive.processes(), [], "processes are left");
        toll
    }
}

/// A life that may end at some place.
fn life(hive: &Hive, dice: &mut Dice) -> Agent {
    if dice.happens(50) {
        return Agent::spawn(hive, &[]);
    }
    let place = *dice.one_of(&PLACES).expect("there are some");
    let passages = usize::try_from(dice.within(1..5)).expect("it is small");
    let way = vec![place; passages].join(">");
    Agent::spawn_in(hive, &[], &[("HIVE_DIE_AT", &way)])
}

/// Loads the bot until it dies, which is true, or its time is over.
async fn goes_on(
    agent: &mut Agent,
    load: &mut Load,
    onlooker: &Onlooker,
    dice: &mut Dice,
    end: Instant,
) -> bool {
    let client = client(agent.hive()).await;
    while Instant::now() < end {
        if !agent.is_alive() {
            return true;
        }
        if let Some(client) = &client {
            load.act(client, onlooker).await;
        }
        sleep(Duration::from_millis(dice.within(PACE))).await;
    }
    !agent.is_alive()
}

async fn client(hive: &Hive) -> Option<Client> {
    Client::open(&Locator::hive(hive.paths().clone()), hive.bot()).await.ok()
}

/// Waits until the last life has nothing more to do, for as long as it gets on with it.
async fn all_is_done(client: &Client, load: &mut Load, onlooker: &Onlooker, hive: &Hive) {
    client.resume().await.expect("it is up");
    let mut last_change = (Instant::now(), 0);
    loop {
        let status = client.status().await.expect("it is up");
        let queue = &status.queue;
        let waiting = queue.p0 + queue.p1 + queue.p2 + queue.p3 + queue.chat + queue.blocked;
        let people = load.look_after_people();
        if waiting == 0 && status.current.is_none() && status.suspended.is_none() && people == 0 {
            break;
        }
        let seq = onlooker.known().seq;
        if seq > last_change.1 {
            last_change = (Instant::now(), seq);
        }
        assert!(
            last_change.0.elapsed() < DEADLINE,
            "nothing happens, and {people} people wait: {status:#?}\n{}",
            hive.state()
        );
        sleep(crate::wait::LOOK_EVERY).await;
    }
    load.people_are_done().await;
}

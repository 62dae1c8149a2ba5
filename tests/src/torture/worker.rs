//! What the tortured bot's agent does, and what its answers must be.

use std::fmt::Write as _;

use hive_shared::ids::ItemId;
use hive_shared::work::Status;

use super::dice::Dice;
use crate::hive::Hive;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// The built-in adapter that says its instruction back.
    Echo,
    /// A shell script, which notes its runs.
    Exec,
    /// The suite's own agent, over ACP.
    Acp,
}

/// What the bot may not hang on to, or else the torture takes too long; and no crash is one too many.
const SETTINGS: &str = "disconnect_grace = \"400ms\"\nmax_attempts = 1000000\n";

/// How many lines `slow` work says.
const STEPS: u32 = 12;

/// Notes in `again.txt` each item that had its response when it was started, and in `ran.txt` each start.
const SCRIPT: &str = r#"
i=$(cat)
[ -e ".deia/hive/responses/$HIVE_TASK_ID-response.md" ] && echo "$HIVE_TASK_ID" >> again.txt
echo "$HIVE_TASK_ID" >> ran.txt
case "$i" in
slow*) n=0; while [ $n -lt 12 ]; do n=$((n+1)); echo "step $n of $HIVE_TASK_ID"; sleep 0.02; done;;
fail*) echo "tried $HIVE_TASK_ID"; exit 3;;
spawn*) setsid sleep 1000 > /dev/null 2>&1 & sleep 0.02;;
esac
echo "did $HIVE_TASK_ID"
"#;

impl Worker {
    /// A hive whose bot works so.
    pub(super) fn hive(self) -> Hive {
        match self {
            Self::Echo => Hive::echo(2, SETTINGS),
            Self::Exec => Hive::exec(SCRIPT, SETTINGS),
            Self::Acp => Hive::acp(&[], SETTINGS),
        }
    }

    /// What to do, as the `number`th item.
    pub(super) fn words(self, dice: &mut Dice, number: u32) -> String {
        let kinds = ["quick", "quick", "quick", "slow", "slow", "fail", "spawn"];
        let kind = *dice.one_of(&kinds).expect("there are some");
        match self {
            Self::Echo if kind == "slow" => format!("slow {}", format!("word {number} ").repeat(40)),
            Self::Acp if kind == "slow" => format!("count {number}"),
            Self::Echo | Self::Exec | Self::Acp => format!("{kind} work {number}"),
        }
    }

    /// Holds what was said against what should have been.
    pub(super) fn judges(self, id: &ItemId, words: &str, status: Status, text: &str) {
        let whole = match self {
            Self::Echo => words.to_owned(),
            Self::Exec => script_says(id, words),
            // What it says depends on how often it was interrupted, and where.
            Self::Acp => return,
        };
        let fails = self == Self::Exec && words.starts_with("fail");
        match status {
            Status::Completed => assert!(!fails && text == whole, "{id}, told {words:?}, said {text:?}"),
            Status::Failed => assert!(fails && text == whole, "{id}, told {words:?}, failed with {text:?}"),
            Status::Cancelled | Status::Incomplete | Status::TimedOut => {
                assert!(whole.starts_with(text), "{id}, told {words:?}, was cut at {text:?}");
            }
            Status::Queued | Status::Blocked | Status::Running | Status::Suspended => {
                panic!("{id} is {status} in the end");
            }
        }
    }
}

fn script_says(id: &ItemId, words: &str) -> String {
    let mut text = String::new();
    match words.split(' ').next() {
        Some("slow") => {
            for step in 1..=STEPS {
                let _ = writeln!(text, "step {step} of {id}");
            }
        }
        Some("fail") => return format!("tried {id}\n"),
        Some(_) | None => {}
    }
    text + &format!("did {id}\n")
}

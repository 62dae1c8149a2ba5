//! A coding agent of shell, for the exec adapter.

use hive_tests::{Agent, ChatSocket};

/// Does what the instruction says:
///
/// - `hold`: says `begun`, waits for a file `go`, or `go-ID`, in the working directory, and says `done`;
/// - `count`: counts to 60, a number a line, in about a second and a half; `counted.txt` has the lines too;
/// - `fail`: complains on stderr and ends with status 3;
/// - all else: says it back.
///
/// `ran.txt` has the id of each item that it was started for, a line each.
pub(crate) const AGENT: &str = r#"
i=$(cat)
echo "$HIVE_TASK_ID" >> ran.txt
case "$i" in
*hold*) echo begun; until [ -e go ] || [ -e "go-$HIVE_TASK_ID" ]; do sleep 0.02; done; echo done;;
*count*) n=0; while [ $n -lt 60 ]; do n=$((n+1)); echo "$n"; echo "$n" >> counted.txt; sleep 0.02; done;;
*fail*) echo some; echo "oh no" >&2; exit 3;;
*) printf 'you said: %s' "$i";;
esac
"#;

/// A connection whose first prompt, `CHAT-1`, holds the slot, and whose second, `CHAT-2`, waits.
pub(crate) async fn one_holds_and_one_waits(agent: &Agent) -> ChatSocket {
    let mut chat = agent.chat().await;
    chat.prompt("CHAT-1", "hold").await;
    chat.next_of("CHAT-1", "response_chunk").await;
    chat.prompt("CHAT-2", "hello").await;
    chat.accepted("CHAT-2").await;
    chat
}

/// What `count` says.
pub(crate) fn counted() -> String {
    (1..=60).map(|n| n.to_string() + "\n").collect()
}

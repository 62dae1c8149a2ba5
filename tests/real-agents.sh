#!/bin/bash
# Drives hive-agent with real coding agents and a scripted model, where they are installed: no network, no credentials.
#
#     KIT/setup.sh                                  installs them (KIT is the directory of setup.sh, sandbox.sh, agents.py)
#     KIT=... tests/real-agents.sh [NAME...]        checks all that counts; opencode, qwen and claudeacp unless named
#     KIT=... tests/real-agents.sh --record NAME    plays a session, and prints what the terminals showed
#
# The programs under test are those in HIVE_TESTS_BIN_DIR, else target/debug. Needs root, as the kit's sandbox does; a
# record needs tmux.
set -u
here=$(dirname "$(readlink -f "$0")")
export BIN=${HIVE_TESTS_BIN_DIR:-$here/../target/debug}
export AGENTS_DIR=${AGENTS_DIR:-/tmp/hive-agents}
export PATH=$BIN:$PATH

# ---- inside the sandbox, in a hive of its own -------------------------------------------------------------------------

tasks=${HIVE_DIR:-}/.deia/hive/tasks responses=${HIVE_DIR:-}/.deia/hive/responses
model_log=$AGENTS_DIR/logs/mock.jsonl
work=${WORK:-} ask=${ASK:-}
failed=0

url() { sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$HIVE_DIR/.deia/hive/bots/$1.json" 2>/dev/null; }
start() { hive-agent "$1" >>"$HIVE_DIR/out.log" 2>&1 & bot=$!; until_true "curl -s \"\$(url $1)/health\""; }
until_true() { for _ in $(seq 300); do eval "$1" >/dev/null 2>&1 && return; sleep 0.1; done; return 1; }
task() { printf '%s\n' "$3" >"$tasks/$1/.$2" && mv "$tasks/$1/.$2" "$tasks/$1/$2.md"; }
runs() { until_true "hivectl tasks $1 | grep -w $2 | grep -q running"; }
ended() { hivectl wait "$1" --timeout 120 >/dev/null 2>&1; cat "$responses/$1-response.md"; }
said() { hivectl ask BOT-002 "$1" 2>/dev/null; }
# How many messages the model was last sent with this word: more where a session goes on than where one begins.
messages() { grep "\"what\":\"$1\"" "$model_log" | tail -1 | sed 's/.*"roles":"\([a-z]*\)".*/\1/' | tr -d '\n' | wc -c; }
others() { ps axo pid=,args= | grep -v -E "defunct|mock.mjs|real-agents|sandbox|hive-agent|tmux| ps | grep |bash|sed|wc|tr " ; }
check() { if eval "$2"; then echo "ok    $1"; else echo "FAIL  $1"; failed=1; fi; }
has() { grep -q -e "$2" "$HIVE_DIR/$1"; }

gives_way() {
    task BOT-002 SLOW-1 "do it slowly [[slow:60]]"; sleep 4
    local before; before=$(messages slow)
    check "a chat that preempts a streaming task is answered" '[ "$(said "quick [[say:an answer]]")" = "an answer" ]'
    ended SLOW-1 >"$HIVE_DIR/slow-1"
    check "the task was preempted, and completes" 'has slow-1 "status: completed" && has slow-1 "preemptions: 1" && has slow-1 chunk-060'
    check "it went on in its own session" "[ $(messages slow) -gt $before ]"
    hivectl timeline BOT-002 -o ndjson >"$HIVE_DIR/timeline"
    check "both are on the timeline" 'has timeline "\"title\":\"preempted\"" && has timeline "SLOW-1.*\"status\":\"completed\"" && has timeline "\"kind\":\"reply\".*an answer"'
}

# As soon as it runs, and at moments of the first half second after that.
is_cancelled_early() {
    local n=0 delay
    for delay in 0 0.05 0.15 0.3 0.45; do
        n=$((n + 1))
        task BOT-002 "EARLY-$n" "slowly [[slow:80]]"
        runs BOT-002 "EARLY-$n"; sleep $delay
        hivectl cancel "EARLY-$n" >/dev/null 2>&1
        ended "EARLY-$n" >"$HIVE_DIR/early"
        check "a cancel ${delay} s after the start ends the turn" 'has early "status: cancelled" && ! has early chunk-080 && until_true "hivectl status BOT-002 -o json | grep -q idle"'
    done
    check "and the next prompt is answered" '[ "$(said "still there? [[say:here]]")" = "here" ]'
}

asks() {
    rm -f "$work"/allowed.txt "$work"/denied.txt
    said "please [[write:$work/allowed.txt$ask]]" >"$HIVE_DIR/allowed" &
    local chat=$!
    until_true 'hivectl approvals -o ndjson | grep -q approval_id'
    check "a tool call of a chat asks for approval" '[ ! -e "$work/allowed.txt" ]'
    hivectl approve "$(hivectl approvals -o ndjson | sed -n 's/.*"approval_id":"\([^"]*\)".*/\1/p' | head -1)" >/dev/null
    wait $chat
    check "it is allowed, and done" '[ -s "$work/allowed.txt" ] && has allowed "tool finished"'
    task BOT-002 DENY-1 "please [[write:$work/denied.txt$ask]]"
    ended DENY-1 >"$HIVE_DIR/denied"
    hivectl timeline BOT-002 --kind control -o ndjson >"$HIVE_DIR/controls"
    check "what nobody allows by the deadline is not done" '[ ! -e "$work/denied.txt" ]'
    check "the record says so" 'has controls "\"task_id\":\"DENY-1\".*\"error_code\":\"timed_out\""'
    check "the task is over" 'has denied "^status: \(completed\|cancelled\|failed\)"'
}

is_killed() {
    task BOT-002 SLOW-2 "slowly again [[slow:60]]"; sleep 4
    local before; before=$(messages slow)
    kill -9 "$bot"; start BOT-002
    ended SLOW-2 >"$HIVE_DIR/slow-2"
    check "a task goes on after kill -9 of the bot" 'has slow-2 "status: completed" && has slow-2 "attempts: 2" && has slow-2 chunk-060'
    check "in its loaded session" "[ $(messages slow) -gt $before ]"
}

# BOT-003 may do all it likes.
leaves_nothing() {
    local shell="setsid sleep 1001 & sleep 1002 & sleep 1003" chat_bot=$bot
    left() { ps axo args= | grep -q "^sleep 100[123]"; }
    start BOT-003
    task BOT-003 LEFT-1 "please [[shell:$shell]]"
    check "a tool runs, with children of its own" 'until_true left'
    hivectl cancel LEFT-1 >/dev/null; ended LEFT-1 >/dev/null
    check "nothing of it lives after a cancel" '! left'
    task BOT-003 LEFT-2 "please [[shell:$shell]]"; until_true left
    kill -9 "$bot"; hivectl pause BOT-003 >/dev/null 2>&1; start BOT-003
    check "nor after kill -9 of the bot and a new start" 'until_true "! left"'
    hivectl resume BOT-003 >/dev/null; until_true left
    kill "$bot"; wait "$bot"
    check "nor after a stop" '! left'
    bot=$chat_bot
}

play() {
    start BOT-002
    check "a chat is answered" '[ "$(said "hello [[say:warm now]]")" = "warm now" ]'
    gives_way
    is_cancelled_early
    task BOT-002 ERR-1 "[[err:400]]"
    check "an error of the model fails the task in its words" 'ended ERR-1 | grep -q "scripted 400"'
    asks
    is_killed
    leaves_nothing
    kill "$bot"; wait "$bot"
    check "the bot stops with 0" "[ $? = 0 ]"
    check "nothing is left when it has stopped" '[ -z "$(others)" ] || { others; false; }'
    return $failed
}

# What a reader is shown: a terminal, and what was typed there.
record() {
    local n=0
    screen() { tmux -L record capture-pane -pJt person -S - | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
    keys() { tmux -L record send-keys -t person "$@"; }
    typed() { keys "$1" Enter; sleep 0.5; n=$((n + 1)); until_true '[ "$(screen | grep -c "^[$] *")" -gt '$n' ]'; }
    shows() { until_true "screen | grep -q -e '$1'"; sleep 0.3; }
    mount -t tmpfs tmpfs /srv; mkdir "$work"; git -C "$work" init -q
    tmux -L record new-session -d -s person -x 104 -y 200 \
        "cd '$work'; env HIVE_DIR='$HIVE_DIR' PATH='$PATH' HIVECTL_HISTORY= LANG=C.UTF-8 USER=dana NO_COLOR=1 PS1='$ ' bash --norc"
    shows '^[$]'
    typed "hivectl up BOT-002"
    typed "hivectl submit BOT-002 'Rename the parser everywhere. [[slow:60]]' --id RENAME-1"
    sleep 5
    typed "hivectl ask BOT-002 'Is main safe to deploy? [[say:Yes. The rename is on a branch.]]'"
    typed "hivectl wait RENAME-1"
    keys "hivectl chat BOT-002" Enter; shows "Enter says it"
    keys "Write the notes. [[write:$work/notes.md]]" Enter; shows "at once"
    keys M-y; shows "tool finished"
    sleep 0.5; n=$((n + 1)); keys C-d; shows "^[$] $"
    typed "hivectl submit BOT-002 'Write more. [[write:$work/extra.md]]' --id EXTRA-1"
    sleep 3
    typed "hivectl approvals"
    typed "hivectl wait EXTRA-1; ls *.md"
    typed "hivectl submit BOT-002 'Rename it back. [[slow:60]]' --id RENAME-2"
    sleep 3
    typed "pkill -9 hive-agent; hivectl up BOT-002; hivectl wait RENAME-2"
    typed "hivectl timeline BOT-002"
    screen
    hivectl down BOT-002 --now >/dev/null 2>&1
    tmux -L record kill-server
}

case ${1:-} in
--play) play; exit ;;
--play-record) record; exit ;;
esac

# ---- outside ----------------------------------------------------------------------------------------------------------

KIT=${KIT:?names the directory of the kit}
scene=--play
if [ "${1:-}" = --record ]; then scene=--play-record; shift; fi
rc=0
for name in "${@:-opencode qwen claudeacp}"; do for name in $name; do
    [ $scene = --play-record ] || echo "== $name"
    HIVE=$(mktemp -d "/tmp/hive-real-$name-XXXXXX"); chmod 755 "$HIVE"
    mkdir -p "$HIVE"/.deia/hive/tasks/{BOT-002,BOT-003}
    work=$(python3 "$KIT/agents.py" "$name" | python3 -c '
import json, sys
c = json.load(sys.stdin)
if sys.argv[2] == "--play-record":
    c["workdir"] = "/srv/app"
adapter = {"claudeacp": "claude"}.get(sys.argv[1], sys.argv[1])
print(f"[defaults]\nadapter = \"{adapter}\"\nchat_linger = 0.3\napproval_timeout = 8\ncommand = " + json.dumps(c["command"]) + "\nworkdir = " + json.dumps(c["workdir"]), file=sys.stderr)
print("[defaults.env]\n" + "".join(k + " = " + json.dumps(v) + "\n" for k, v in c["env"].items()), file=sys.stderr)
print("[bots.BOT-002]\n[bots.BOT-003]\napproval = \"allow\"", file=sys.stderr)
print(c["workdir"])' "$name" $scene 2>"$HIVE/.deia/hive.toml")
    if timeout 400 "$KIT/sandbox.sh" env "HIVE_DIR=$HIVE" "BIN=$BIN" "WORK=$work" "ASK=$([ "$name" = codex ] && echo '?ask')" "$here/real-agents.sh" $scene; then rm -rf "$HIVE"; else rc=1; echo "see $HIVE"; fi
done; done
exit $rc

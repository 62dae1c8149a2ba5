#!/bin/bash
# Drives hive-agent with real coding agents and a scripted model, where they are installed: no network, no credentials.
#
#     KIT/setup.sh                            installs them (KIT is the directory of setup.sh, sandbox.sh and agents.py)
#     KIT=... tests/real-agents.sh [NAME...]  opencode, qwen, claudeacp; all three unless named
#
# The programs under test are those in HIVE_TESTS_BIN_DIR, else target/debug. Needs root, as the kit's sandbox does.
set -u
here=$(dirname "$(readlink -f "$0")")
KIT=${KIT:?names the directory of the kit}
export BIN=${HIVE_TESTS_BIN_DIR:-$here/../target/debug}
export AGENTS_DIR=${AGENTS_DIR:-/tmp/hive-agents}

# Inside the sandbox, in a hive of its own.
play() {
    local tasks=$HIVE_DIR/.deia/hive/tasks/BOT-002 responses=$HIVE_DIR/.deia/hive/responses failed=0 bot=
    start() { "$BIN/hive-agent" BOT-002 >>"$HIVE_DIR/out.log" 2>&1 & bot=$!; until_true 'curl -s "$(url)/health"'; }
    url() { sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$HIVE_DIR/.deia/hive/bots/BOT-002.json" 2>/dev/null; }
    until_true() { for _ in $(seq 200); do eval "$1" >/dev/null 2>&1 && return; sleep 0.1; done; return 1; }
    task() { printf '%s\n' "$2" >"$tasks/.$1" && mv "$tasks/.$1" "$tasks/$1.md"; }
    ended() { "$BIN/hivectl" wait "$1" --timeout 120 >/dev/null 2>&1; cat "$responses/$1-response.md"; }
    check() { if eval "$2"; then echo "ok    $1"; else echo "FAIL  $1"; failed=1; fi; }
    others() { ps axo pid=,args= | grep -v -E "defunct|mock.mjs|real-agents|sandbox|hive-agent| ps | grep | bash" ; }
    said() { "$BIN/hivectl" ask BOT-002 "$1" 2>/dev/null; }

    start
    check "a chat is answered" '[ "$(said "hello [[say:warm now]]")" = "warm now" ]'

    task SLOW-1 "do it slowly [[slow:60]]"; sleep 4
    check "a chat that preempts a streaming task is answered" '[ "$(said "quick [[say:an answer]]")" = "an answer" ]'
    ended SLOW-1 >"$HIVE_DIR/slow-1"
    check "the task was preempted, and completes" 'grep -q "status: completed" "$HIVE_DIR/slow-1" && grep -q "preemptions: 1" "$HIVE_DIR/slow-1" && grep -q chunk-060 "$HIVE_DIR/slow-1"'

    for n in 1 2 3; do
        task "EARLY-$n" "slowly [[slow:80]]"
        until_true "\"\$BIN/hivectl\" tasks BOT-002 | grep EARLY-$n | grep -q running"
        "$BIN/hivectl" cancel "EARLY-$n" >/dev/null 2>&1
        ended "EARLY-$n" >"$HIVE_DIR/early"
        check "a cancel in the first moment ends the turn ($n)" 'grep -q "status: cancelled" "$HIVE_DIR/early" && ! grep -q chunk-080 "$HIVE_DIR/early"'
    done

    task ERR-1 "[[err:400]]"
    check "an error of the model fails the task in its words" 'ended ERR-1 | grep -q "scripted 400"'

    task SLOW-2 "slowly again [[slow:60]]"; sleep 4
    kill -9 "$bot"; start
    ended SLOW-2 >"$HIVE_DIR/slow-2"
    check "a task goes on after kill -9 of the bot" 'grep -q "status: completed" "$HIVE_DIR/slow-2" && grep -q "attempts: 2" "$HIVE_DIR/slow-2" && grep -q chunk-060 "$HIVE_DIR/slow-2"'

    kill "$bot"; wait "$bot"
    check "the bot stops with 0" "[ $? = 0 ]"
    check "nothing is left when it has stopped" '[ -z "$(others)" ] || { others; false; }'
    return $failed
}

if [ "${1:-}" = --play ]; then play; exit; fi

rc=0
for name in "${@:-opencode qwen claudeacp}"; do for name in $name; do
    echo "== $name"
    HIVE=$(mktemp -d "/tmp/hive-real-$name-XXXXXX"); chmod 755 "$HIVE"
    mkdir -p "$HIVE/.deia/hive/tasks/BOT-002"
    python3 "$KIT/agents.py" "$name" | python3 -c '
import json, sys
c = json.load(sys.stdin)
print("[defaults]\nadapter = \"acp\"\nchat_linger = 0.3\ncommand = " + json.dumps(c["command"]) + "\nworkdir = " + json.dumps(c["workdir"]))
print("[defaults.env]\n" + "".join(k + " = " + json.dumps(v) + "\n" for k, v in c["env"].items()))' >"$HIVE/.deia/hive.toml"
    if timeout 300 "$KIT/sandbox.sh" env "HIVE_DIR=$HIVE" "BIN=$BIN" "$here/real-agents.sh" --play; then rm -rf "$HIVE"; else rc=1; echo "see $HIVE"; fi
done; done
exit $rc

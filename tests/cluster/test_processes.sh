#!/usr/bin/env bash
# Coordinator and workers as processes of their own, over TCP: the outputs are those of the embedded
# run, byte for byte, also when processes are killed, stopped and continued at random during the job.
#   KINDRED_COORDINATOR, KINDRED_WORKER   the daemons; default: beside KINDRED
#   KIN_TEST_SEED                         of the disturbances; default 1
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"

coordinator=$(realpath "${KINDRED_COORDINATOR:-$(dirname "$KINDRED")/kindred-coordinator}")
worker=$(realpath "${KINDRED_WORKER:-$(dirname "$KINDRED")/kindred-worker}")
workers=3
rounds=12
RANDOM=${KIN_TEST_SEED:-1}
cd "$scratch" || exit 1

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
port=$((20000 + $$ % 9000))
until port_is_free "$port"; do
    port=$((port + 1))
done
url=tcp://127.0.0.1:$port

generate . 20000 1
cp "$here/../bench/people.yaml" .
printf 'a secret of this test alone\n' >secret
"$KINDRED" match people.yaml -o expected --pairs --quiet || fail "embedded: status $?"

# ---- settings ----

expect() { # STATUS WHAT COMMAND...
    local wanted=$1 what=$2 got=0
    shift 2
    timeout 20 "$@" >said 2>&1 || got=$?
    [ "$got" = "$wanted" ] || fail "$what: status $got instead of $wanted: $(head -c 300 said)"
}
job=(--workers 3 --data c.check --workflow people.yaml -o checked)
expect 0 "coordinator --help" "$coordinator" --help
expect 0 "worker --help" "$worker" --help
expect 0 "a good coordinator" "$coordinator" --listen "$url" "${job[@]}" --check-config
expect 0 "a good worker" "$worker" --coordinator "$url" --node 3 --data w.check --check-config
expect 0 "settings by environment" env KINDRED_COORDINATOR="$url" KINDRED_NODE=64 KINDRED_DATA=w.check \
    KINDRED_CHECK_CONFIG=true "$worker"
expect 2 "no settings" "$coordinator"
expect 2 "an unknown option" "$worker" --nodes 3
expect 2 "an argument too many" "$worker" --coordinator "$url" --node 3 --data w.check more
expect 2 "node 65" "$worker" --coordinator "$url" --node 65 --data w.check
expect 2 "node by environment" env KINDRED_NODE=0 "$worker" --coordinator "$url" --data w.check
expect 2 "no address" "$coordinator" --listen 127.0.0.1:7400 "${job[@]}" --check-config
expect 2 "a workflow that is not there" "$coordinator" --listen "$url" "${job[@]}" --workflow no.yaml --check-config
expect 2 "data inside the output" "$coordinator" --listen "$url" "${job[@]}" -o c.check --check-config
expect 2 "beyond this machine without a secret" \
    "$coordinator" --listen tcp://0.0.0.0:$port "${job[@]}" --insecure --check-config
expect 2 "beyond this machine without --insecure" \
    "$coordinator" --listen tcp://0.0.0.0:$port "${job[@]}" --secret-file secret --check-config
expect 0 "beyond this machine with both" \
    "$coordinator" --listen tcp://0.0.0.0:$port "${job[@]}" --secret-file secret --insecure --check-config
expect 2 "another machine without a secret" "$worker" --coordinator tcp://example.org:1 --node 1 --data w.check --check-config
printf 'short\n' >short
expect 2 "a short secret" "$worker" --coordinator "$url" --node 1 --data w.check --secret-file short --check-config
if [ -e c.check ] || [ -e w.check ] || [ -e checked ]; then
    fail "checking settings left something behind"
fi

# ---- processes ----

pids=()
start_worker() { # N
    "$worker" --coordinator "$url" --node "$1" --data "$round.w$1" --secret-file secret --threads 2 2>>"$round.w$1.log" &
    pids[$1]=$!
}
start_coordinator() {
    "$coordinator" --listen "$url" --workers "$workers" --data "$round.c" --workflow people.yaml \
        -o "$round.out" --pairs --secret-file secret --lease-ms 500 --threads 2 2>>"$round.c.log" &
    pids[0]=$!
}
start_all() {
    local n
    start_coordinator
    for ((n = 1; n <= workers; n++)); do
        start_worker "$n"
    done
}
is_running() { # PID, a child; a stopped one runs, one that ended and was not yet waited for does not
    local state
    state=$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)
    [ -n "$state" ] && [ "$state" != Z ]
}
finish_round() { # waits for the coordinator, then ends the workers
    local n status=0 end=$((SECONDS + 60))
    while is_running "${pids[0]}" && ((SECONDS < end)); do
        sleep 0.02
    done
    if is_running "${pids[0]}"; then
        fail "round $round: the coordinator does not come to an end"
        tail -n 3 "$round".*.log >&2
        kill -9 "${pids[0]}"
    fi
    wait "${pids[0]}" || status=$?
    ((status == 0)) || fail "round $round: status $status: $(tail -n 3 "$round.c.log")"
    for ((n = 1; n <= workers; n++)); do
        kill -TERM "${pids[$n]}"
        status=0
        wait "${pids[$n]}" || status=$?
        ((status == 0)) || fail "round $round: worker $n ended with $status: $(tail -n 3 "$round.w$n.log")"
    done
    for file in matches groups pairs errors; do
        same_file "expected/$file.csv" "$round.out/$file.csv" "round $round: $file.csv"
    done
    check_accounts "$round.out" "round $round"
}

round=quiet
start_all
finish_round
grep -q '"event":"net_up"' quiet.w1.log || fail "no log line for a connection"

# A worker with another secret does not get in.
round=secret
printf 'another secret, of nobody here\n' >other
start_coordinator
"$worker" --coordinator "$url" --node 1 --data secret.w1 --secret-file other 2>secret.w1.log &
refused=$!
for ((i = 0; i < 500; i++)); do
    grep -q '"event":"net_refused"' secret.w1.log && break
    sleep 0.02
done
((i < 500)) || fail "another secret is not refused"
grep -q '"event":"worker_joined"' secret.c.log && fail "another secret gets in"
kill -TERM "$refused"
wait "$refused" || fail "a refused worker ends with $?"
kill -TERM "${pids[0]}"
wait "${pids[0]}" && fail "a coordinator that was stopped says that it is done"

# ---- disturbances ----

disturb() { # one process, killed and started again, or stopped for a while
    local victim=$((RANDOM % (workers + 1)))
    phase=$(sed -n 's/.* phase=\([a-z]*\) .*/\1/p' "$round.c.log" | tail -n 1)
    if ((RANDOM % 3 == 0)); then
        kill -STOP "${pids[$victim]}" 2>/dev/null
        sleep "0.$((RANDOM % 8))" # longer than a lease, at times
        kill -CONT "${pids[$victim]}" 2>/dev/null
        stops=$((stops + 1))
    else
        kill -9 "${pids[$victim]}" 2>/dev/null
        wait "${pids[$victim]}" 2>/dev/null
        if ((victim == 0)); then
            start_coordinator
        else
            start_worker "$victim"
        fi
        kills=$((kills + 1))
    fi
    phases+="${phase:-join} "
}

kills=0 stops=0 phases=''
for ((round = 1; round <= rounds && SECONDS < 90; round++)); do
    start_all
    for ((i = 0; i < 5; i++)); do
        sleep "0.$(printf %03d $((RANDOM % 250)))"
        is_running "${pids[0]}" || break
        disturb
    done
    finish_round
    ((failures == 0)) || break
    rm -rf "$round".*
done
((round > 4)) || fail "only $((round - 1)) rounds in $SECONDS s"
echo "$((round - 1)) rounds, $kills killed, $stops stopped, in the phases:" \
    "$(tr ' ' '\n' <<<"$phases" | sort | uniq -c | awk 'NF == 2 { printf "%s %s  ", $2, $1 }')"
finish test_processes

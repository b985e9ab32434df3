#!/usr/bin/env bash
# Coordinator, workers and client as processes of their own, over TCP and over a Unix socket: the
# outputs are those of the embedded run, byte for byte, with two workers and with five, on real and on
# invented records, and also when processes are killed, stopped and continued at random during the job.
#   KIN_ROUNDS      of disturbances; default 12, fewer where the machine is slow
#   KIN_RECORDS     invented records of the undisturbed runs; default 200000
#   KIN_TEST_SEED   of the disturbances; default 1
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib_cluster.sh"

rounds=${KIN_ROUNDS:-12}
RANDOM=${KIN_TEST_SEED:-1}
cd "$scratch" || exit 1
url=tcp://127.0.0.1:$(free_port)
printf 'a secret of this test alone\n' >secret

# ---- settings ----

expect() { # STATUS WHAT COMMAND...
    local wanted=$1 what=$2 got=0
    shift 2
    timeout 20 "$@" >said 2>&1 || got=$?
    [ "$got" = "$wanted" ] || fail "$what: status $got instead of $wanted: $(head -c 300 said)"
}
c=("$coordinator_program" --data c.check --check-config)
w=("$worker_program" --data w.check --check-config)
expect 0 "coordinator --help" "$coordinator_program" --help
expect 0 "worker --help" "$worker_program" --help
expect 0 "a good coordinator" "${c[@]}" --listen "$url"
expect 0 "a coordinator on a Unix socket" "${c[@]}" --listen "unix://$scratch/socket"
expect 0 "a good worker" "${w[@]}" --coordinator "$url"
expect 0 "settings by environment" env KINDRED_COORDINATOR="$url" KINDRED_DATA=w.check \
    KINDRED_CHECK_CONFIG=true "$worker_program"
expect 2 "no settings" "$coordinator_program"
expect 2 "an unknown option" "${w[@]}" --coordinator "$url" --nodes 3
expect 2 "an argument too many" "${w[@]}" --coordinator "$url" more
expect 2 "too many workers" "${c[@]}" --listen "$url" --workers 65
expect 2 "a number by environment" env KINDRED_LEASE_MS=soon "${c[@]}" --listen "$url"
expect 2 "no address" "${c[@]}" --listen 127.0.0.1:7400
expect 2 "a relative socket" "${c[@]}" --listen unix://socket
expect 2 "files that are not there" "${c[@]}" --listen "$url" --files /nowhere/at/all
expect 2 "beyond this machine without a secret" "${c[@]}" --listen tcp://0.0.0.0:7400 --insecure
expect 2 "beyond this machine without --insecure" "${c[@]}" --listen tcp://0.0.0.0:7400 --secret-file secret
expect 0 "beyond this machine with both" \
    "${c[@]}" --listen tcp://0.0.0.0:7400 --secret-file secret --insecure
expect 2 "another machine without a secret" "${w[@]}" --coordinator tcp://example.org:1
printf 'short\n' >short
expect 2 "a short secret" "${w[@]}" --coordinator "$url" --secret-file short
if [ -e c.check ] || [ -e w.check ]; then
    fail "checking settings left something behind"
fi

# ---- undisturbed ----

run_job() { # WORKFLOW OUT [OPTIONS]
    local workflow=$1 out=$2 status=0
    shift 2
    client match "$workflow" -o "$out" --pairs --quiet "$@" 2>client.said || status=$?
    ((status == 0)) || fail "match $workflow: status $status: $(tail -n 5 client.said)"
}

generate . "${KIN_RECORDS:-200000}" 1
cp "$here/../bench/people.yaml" .
mkdir real && cp "$here"/../../examples/febrl3/{febrl3.yaml,records.csv} real
for job in people.yaml real/febrl3.yaml; do
    "$KINDRED" match "$job" -o "expected.$(basename "$job" .yaml)" --pairs --quiet || fail "embedded: status $?"
done

for layout in "2 $url" "5 $url" "2 unix://$scratch/socket"; do
    read -r count url <<<"$layout"
    coordinator_options=(--lease-ms 3000 --workers "$count")
    start_coordinator
    for ((n = 1; n <= count; n++)); do
        start_worker "w$n"
    done
    for job in people.yaml real/febrl3.yaml; do
        name=$(basename "$job" .yaml)
        run_job "$job" "got.$name"
        same_result "expected.$name" "got.$name" "$layout, $name"
        rm -rf "got.$name"
    done
    stop_all
    grep -q '"event":"net_up"' w1.log || fail "$layout: no log line for a connection"
    [ "$(grep -c '"event":"job_done"' coordinator.log)" = 2 ] || fail "$layout: not two jobs done"
    if [ -n "$(ls coordinator.data/results)" ]; then
        fail "$layout: results are kept although they were fetched"
    fi
    forget_all
done

# A worker with another secret does not get in.
url=tcp://127.0.0.1:$(free_port)
printf 'another secret, of nobody here\n' >other
start_coordinator
start_worker stranger --secret-file other
wait_for 20 grep -q '"event":"net_refused"' stranger.log || fail "another secret is not refused"
grep -q '"event":"worker_joined"' coordinator.log && fail "another secret gets in"
stop_all
forget_all

# ---- disturbed ----

small=$((${KIN_RECORDS:-200000} / 10))
mkdir small && generate small "$small" 2 && cp people.yaml small
"$KINDRED" match small/people.yaml -o expected.small --pairs --quiet || fail "embedded: status $?"
coordinator_options=(--lease-ms 500 --give-up-ms 120000 --workers 3)
names=(coordinator w1 w2 w3 client)

start_client() {
    # the same command again goes on with the job
    (run_in client "$KINDRED" match small/people.yaml -o got.small --pairs --quiet --cluster "$url" \
        --secret-file secret) 2>>client.log &
    pid_of[client]=$!
}
disturb() { # one process, killed and started again, or stopped for a while
    local victim=${names[RANDOM % ${#names[@]}]}
    phases+="$(running_phase) "
    if ((RANDOM % 3 == 0)); then
        kill -STOP "${pid_of[$victim]}" 2>/dev/null
        sleep "0.$((RANDOM % 8))" # longer than a lease, at times
        kill -CONT "${pid_of[$victim]}" 2>/dev/null
        stops=$((stops + 1))
    elif is_running "$victim"; then
        kill_hard "$victim"
        if [ "$victim" = client ]; then
            start_client
        else
            start "$victim"
        fi
        kills=$((kills + 1))
    fi
}

kills=0 stops=0 phases=''
for ((round = 1; round <= rounds; round++)); do
    [ "${KIN_ROUNDS:-}" ] || ((SECONDS < 150)) || break
    start_coordinator
    for name in w1 w2 w3; do
        start_worker "$name"
    done
    start_client
    for ((i = 0; i < 6; i++)); do
        sleep "0.$(printf %03d $((RANDOM % 250)))"
        is_running client || break
        disturb
    done
    if ! wait_for 90 eval '! is_running client'; then
        fail "round $round: the client does not come to an end"
        tail -n 3 ./*.log >&2
        break
    fi
    status=0
    wait "${pid_of[client]}" || status=$?
    unset "pid_of[client]"
    ((status == 0)) || fail "round $round: status $status: $(tail -n 3 client.log)"
    same_result expected.small got.small "round $round"
    stop_all
    ((failures == 0)) || break
    rm -rf got.small*
    forget_all
done
((round > 3)) || fail "only $((round - 1)) rounds in $SECONDS s"
echo "$((round - 1)) rounds, $kills killed, $stops stopped, in the phases:" \
    "$(tr ' ' '\n' <<<"$phases" | sort | uniq -c | awk 'NF == 2 { printf "%s %s  ", $2, $1 }')"
finish test_processes

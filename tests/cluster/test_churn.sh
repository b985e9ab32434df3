#!/usr/bin/env bash
# Strangers at the door: thousands of abrupt, slow, half-open and hostile connections to the coordinator,
# over TCP and over a Unix socket, while jobs run. The jobs are unharmed; when the strangers are gone, so
# are their descriptors and the memory they took.
#   KIN_STRANGERS   connections of each kind; default 1500
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib_cluster.sh"

strangers=${KIN_STRANGERS:-1500}
cd "$scratch" || exit 1
printf 'a secret of this test alone\n' >secret
generate . 20000 4
cp "$here/../bench/people.yaml" .
"$KINDRED" match people.yaml -o expected --pairs --quiet || fail "embedded: status $?"

descriptors() {
    ls "/proc/${pid_of[coordinator]}/fd" | wc -l
}
resident() { # KiB
    awk '/^VmRSS:/ { print $2 }' "/proc/${pid_of[coordinator]}/status"
}
run_job() { # LABEL
    local status=0
    client match people.yaml -o got --pairs --quiet 2>client.log || status=$?
    ((status == 0)) || fail "$1: status $status: $(tail -n 3 client.log)"
    same_result expected got "$1"
    rm -rf got
}

for where in tcp unix; do
    url=tcp://127.0.0.1:$(free_port)
    [ "$where" = tcp ] || url=unix://$scratch/socket
    coordinator_options=(--lease-ms 2000 --workers 2)
    start_coordinator
    start_worker w1
    start_worker w2
    wait_for 30 joined 2 || fail "$where: the workers do not join"
    run_job "$where, before"
    before=$(descriptors) memory=$(resident)
    "${KIN_STRANGER:?the program of strangers}" "$url" "$strangers" >strangers.log 2>&1 &
    crowd=$!
    jobs_done=0
    while kill -0 "$crowd" 2>/dev/null; do
        run_job "$where, in the crowd"
        jobs_done=$((jobs_done + 1))
        ((failures == 0)) || break
    done
    wait "$crowd" || fail "$where: the strangers: $(tail -n 2 strangers.log)"
    ((jobs_done > 0)) || fail "$where: no job ran in the crowd"
    # what is half open goes after the handshake's five seconds
    wait_for 30 eval "(( \$(descriptors) <= $before + 2 ))" ||
        fail "$where: $(descriptors) descriptors, $before before: $(ls -l "/proc/${pid_of[coordinator]}/fd" | tail -n 3)"
    run_job "$where, after"
    after=$(resident)
    ((after < memory + 64 * 1024)) || fail "$where: $after KiB resident, $memory before"
    echo "$where: $(tail -n 1 strangers.log); $jobs_done jobs meanwhile; descriptors $before, then $(descriptors); resident $memory KiB, then $after"
    stop_all
    forget_all
done
finish test_churn

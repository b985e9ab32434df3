#!/usr/bin/env bash
# Several hosts: coordinator, workers and client each in a network namespace of its own, on one bridge.
# A worker is cut off in mid-job and healed, one is cut off for so long that its shards go to the others,
# links are slow and lose packets: the outputs are those of the embedded run, byte for byte. Needs root
# and a kernel that lets us; otherwise it is skipped, by name.
#   KIN_RECORDS   invented records; default 30000
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib_cluster.sh"

skip() {
    echo "SKIPPED: cluster/hosts: $1"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "not root"
command -v ip >/dev/null || skip "there is no ip (iproute2)"

tag=kin$$
hosts=(coordinator w1 w2 w3 client)

remove_hosts() {
    local host
    for host in "${hosts[@]}" bridge; do
        ip netns del "$tag-$host" 2>/dev/null
    done
}
trap 'for name in "${!pid_of[@]}"; do kill -9 "${pid_of[$name]}" 2>/dev/null; done; remove_hosts; clean_up' EXIT

make_hosts() {
    local n=0 host
    ip netns add "$tag-bridge" || return 1
    ip -n "$tag-bridge" link add br0 type bridge || return 1
    ip -n "$tag-bridge" link set br0 up || return 1
    for host in "${hosts[@]}"; do
        n=$((n + 1))
        ip netns add "$tag-$host" &&
            ip -n "$tag-bridge" link add "to-$host" type veth peer name eth0 netns "$tag-$host" &&
            ip -n "$tag-bridge" link set "to-$host" master br0 up &&
            ip -n "$tag-$host" link set lo up &&
            ip -n "$tag-$host" addr add "10.77.0.$n/24" dev eth0 &&
            ip -n "$tag-$host" link set eth0 up || return 1
    done
}
make_hosts 2>"$scratch/hosts.log" ||
    skip "no network namespaces with veth and bridge here: $(head -n 1 "$scratch/hosts.log")"

run_in() { # HOST COMMAND...
    local host=$1
    shift
    exec ip netns exec "$tag-$host" "$@"
}
cut_off() { # HOST: its cable is pulled
    ip -n "$tag-bridge" link set "to-$1" down
}
heal() {
    ip -n "$tag-bridge" link set "to-$1" up
}
slow_down() { # HOST: 20 Mbit/s, both ways
    tc -n "$tag-$1" qdisc add dev eth0 root tbf rate 20mbit burst 16k latency 20ms 2>/dev/null &&
        tc -n "$tag-bridge" qdisc add dev "to-$1" root tbf rate 20mbit burst 16k latency 20ms
}
lose_packets() { # HOST: one in fifty, both ways
    if tc -n "$tag-$1" qdisc add dev eth0 root netem loss 2% delay 2ms 2>/dev/null; then
        tc -n "$tag-bridge" qdisc add dev "to-$1" root netem loss 2% delay 2ms
        return
    fi
    ip netns exec "$tag-$1" iptables -A INPUT -m statistic --mode random --probability 0.02 -j DROP 2>/dev/null &&
        ip netns exec "$tag-$1" iptables -A OUTPUT -m statistic --mode random --probability 0.02 -j DROP
}

cd "$scratch" || exit 1
url=tcp://10.77.0.1:7400
printf 'a secret of this test alone\n' >secret
generate . "${KIN_RECORDS:-30000}" 3
cp "$here/../bench/people.yaml" .
"$KINDRED" match people.yaml -o expected --pairs --quiet || fail "embedded: status $?"

in_phase() {
    [ "$(running_phase)" = "$1" ]
}
given_up() {
    grep -q '"event":"worker_given_up"' coordinator.log
}
given_up_or_over() {
    given_up || ! is_running client
}
start_match() {
    : >client.log
    (run_in client "$KINDRED" match people.yaml -o got --pairs --quiet --cluster "$url" --secret-file secret) \
        2>client.log &
    pid_of[client]=$!
}
finish_match() { # LABEL
    local status=0
    if ! wait_for 120 eval '! is_running client'; then
        fail "$1: the client does not come to an end"
        tail -n 3 ./*.log >&2
        kill_hard client
    else
        wait "${pid_of[client]}" || status=$?
        ((status == 0)) || fail "$1: status $status: $(tail -n 3 client.log)"
        same_result expected got "$1"
    fi
    unset "pid_of[client]"
    rm -rf got
    : >coordinator.log # phases of the next job only
}

coordinator_options=(--lease-ms 500 --give-up-ms 5000 --workers 3 --insecure)
start_coordinator
for name in w1 w2 w3; do
    start_worker "$name"
done
wait_for 30 joined 3 || fail "the workers do not join: $(tail -n 2 w1.log)"

start_match
finish_match "quiet"

# Cut off and healed, in each phase that can be caught: nothing is begun anew.
for phase in load match write; do
    start_match
    if wait_for 60 in_phase "$phase"; then
        cut_off w2
        sleep 1.5
        heal w2
    fi
    finish_match "w2 cut off at $phase"
done

# The client cut off while it sends: it goes on.
start_match
wait_for 60 grep -q job_submitted coordinator.log
cut_off client
sleep 1
heal client
finish_match "client cut off"

# Cut off for good: the job is begun anew on the others, and what the lost one still believes does no
# harm when it is back.
for _ in 1 2 3 4 5 6; do # the job may be done before the cut is made
    start_match
    wait_for 60 in_phase load
    cut_off w3
    wait_for 60 given_up_or_over
    heal w3 # in the middle of the run without it
    given_up && break
    finish_match "w3 cut off too late"
    wait_for 30 joined 3
done
given_up || fail "w3 is not given up"
finish_match "w3 given up"
wait_for 30 joined 3 || fail "w3 does not come back"
start_match
finish_match "w3 back"

if slow_down w1; then
    start_match
    finish_match "w1 behind a slow link"
else
    echo "SKIPPED: cluster/hosts: slow links: this kernel has no tbf"
fi
if lose_packets w2; then
    start_match
    finish_match "w2 losing packets"
else
    echo "SKIPPED: cluster/hosts: lost packets: this kernel has neither netem nor iptables' statistic"
fi
stop_all
finish test_hosts

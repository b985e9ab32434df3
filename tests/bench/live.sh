#!/usr/bin/env bash
# What a cluster that serves can bear: lookups over RPC and HTTP, one and 64 records a request, closed and
# open loop, alone and beside upserts; first against a trivial responder, which is what the generator itself
# can do.
#
#   tests/bench/live.sh [SECONDS [RECORDS]]        default 10 seconds each, 1000000 records
#
#   KINDRED_CLUSTER   a cluster that serves people.yaml with the records that RECORDS_CSV has, instead of one
#   RECORDS_CSV       that is started here
#   KINDRED_HTTP      HOST:PORT of its gateway; without it HTTP is left out
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
seconds=${1:-10}
records=${2:-1000000}
bin=${KINDRED_BIN:-$top/build/release}
load=${KIN_LOAD:-$bin/tests/bench_load}
work=$(mktemp -d)
pids=()
clean_up() {
    [[ ${#pids[@]} -eq 0 ]] || kill -9 "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
port=$((20000 + $$ % 10000))

drive() { # LABEL OPTIONS...
    printf '\n%s\n' "$1"
    shift
    "$load" --seconds "$seconds" --typos 20 "$@" || true
}
all() { # OPTIONS THAT NAME THE SERVER...
    for n in 1 64 1024; do
        drive "closed loop, $n in flight, one record" "$@" --in-flight "$n"
    done
    drive 'closed loop, 64 in flight, 64 records' "$@" --in-flight 64 --batch 64
    drive 'open loop, 10,000/s' "$@" --in-flight 1024 --rate 10000
}

echo '== the generator against a trivial responder =='
"$load" --serve-rpc "tcp://127.0.0.1:$port" &
pids+=($!)
"$load" --serve-http $((port + 1)) &
pids+=($!)
sleep 0.5
all --rpc "tcp://127.0.0.1:$port"
all --http "127.0.0.1:$((port + 1))"
kill -9 "${pids[@]}" 2>/dev/null || true
pids=()

[ -n "${KINDRED_CLUSTER:-}" ] || { echo 'KINDRED_CLUSTER: no cluster to be driven'; exit 0; }
if [ -z "${RECORDS_CSV:-}" ]; then
    "$bin/tests/kin_generate" --records "$records" --seed 1 --out "$work"
    RECORDS_CSV=$work/people.csv
fi
echo '== RPC =='
all --rpc "$KINDRED_CLUSTER" --records "$RECORDS_CSV"
if [ -n "${KINDRED_HTTP:-}" ]; then
    echo '== HTTP =='
    all --http "$KINDRED_HTTP" --records "$RECORDS_CSV"
fi
echo '== upserts =='
drive 'lookups 1,000/s beside upserts, 20 batches of 1,000 a second' --rpc "$KINDRED_CLUSTER" --records "$RECORDS_CSV" \
    --rate 1000 --in-flight 256 --put-rate 20 --put-batch 1000
drive 'one record put and applied, 100/s, beside 1,000 lookups/s' --rpc "$KINDRED_CLUSTER" --records "$RECORDS_CSV" \
    --rate 1000 --in-flight 256 --put-rate 100 --put-batch 1 --put-wait

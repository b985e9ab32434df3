#!/usr/bin/env bash
# What a cluster costs: the same job embedded, and on a coordinator and two worker processes over TCP on
# this machine, in turn; ratios are of the medians.
#
#   tests/bench/cluster.sh [RECORDS [RUNS [WORKERS]]]       default 1000000 records, 5 runs, 2 workers
#
# "at the coordinator" reads and writes the same files as the embedded run; "streamed" sends the sources to
# the coordinator and fetches the results. Wall time of the command, start and end included.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
records=${1:-1000000}
runs=${2:-5}
workers=${3:-2}
kindred=${KINDRED:-$top/build/release/kindred}
generate=${KIN_GENERATE:-$top/build/release/tests/kin_generate}
bin=$(dirname "$kindred")
work=$(mktemp -d)
pids=()
clean_up() {
    [[ ${#pids[@]} -eq 0 ]] || kill -9 "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

"$generate" --records "$records" --seed 1 --out "$work"
cp "$here/people.yaml" "$work/"
port=$((20000 + $$ % 10000))
export KINDRED_CLUSTER=tcp://127.0.0.1:$port

"$bin/kindred-coordinator" --listen "$KINDRED_CLUSTER" --data "$work/c" --files "$work" \
    --workers "$workers" 2>"$work/c.log" &
pids+=($!)
for n in $(seq "$workers"); do
    "$bin/kindred-worker" --coordinator "$KINDRED_CLUSTER" --data "$work/w$n" --name "w$n" 2>"$work/w$n.log" &
    pids+=($!)
done

seconds() { # FILE COMMAND...
    local file=$1 start
    shift
    start=$(date +%s.%N)
    "$@" >/dev/null
    echo "$(date +%s.%N) $start" | awk '{ printf "%.3f\n", $1 - $2 }' >>"$file"
}
for _ in $(seq "$runs"); do
    rm -rf "$work"/out.*
    seconds "$work/t.embedded" "$kindred" match "$work/people.yaml" -o "$work/out.embedded" --quiet
    seconds "$work/t.at" "$kindred" match "$work/people.yaml" -o "$work/out.at" --quiet --at-coordinator --cluster "$KINDRED_CLUSTER"
    seconds "$work/t.streamed" "$kindred" match "$work/people.yaml" -o "$work/out.streamed" --quiet --cluster "$KINDRED_CLUSTER"
    for file in matches groups errors; do
        cmp "$work/out.embedded/$file.csv" "$work/out.at/$file.csv"
        cmp "$work/out.embedded/$file.csv" "$work/out.streamed/$file.csv"
    done
done

median() {
    sort -g "$1" | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)], x[1], x[NR] }'
}
read -r base _ < <(median "$work/t.embedded")
echo "$records records, $runs runs, $workers workers, $(nproc) processors"
for what in embedded at streamed; do
    read -r middle least most < <(median "$work/t.$what")
    awk -v w="$what" -v m="$middle" -v l="$least" -v h="$most" -v b="$base" \
        'BEGIN { printf "%-10s %8.2f s   (least %.2f, most %.2f)   %.2f times the embedded run\n", w, m, l, h, m / b }'
done

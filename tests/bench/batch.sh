#!/usr/bin/env bash
# The batch benchmark: generated person records, files in, MatchGroups out.
#
#   tests/bench/batch.sh [RECORDS [RUNS]]       default 1000000 records, 5 runs
#
# Prints the seconds of each phase (median over the runs), pairs compared, and the largest resident memory.
# KINDRED and KIN_GENERATE name the programs; default: those of build/release. Timings are for reading: no
# test passes or fails by them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
records=${1:-1000000}
runs=${2:-5}
kindred=${KINDRED:-$top/build/release/kindred}
generate=${KIN_GENERATE:-$top/build/release/tests/kin_generate}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$generate" --records "$records" --seed 1 --out "$work"
cp "$here/people.yaml" "$work/"

for run in $(seq "$runs"); do
    rm -rf "$work/out"
    "$kindred" match "$work/people.yaml" -o "$work/out" > "$work/summary.$run"
    cp "$work/out/report.json" "$work/report.$run"
done

# the value of a key of report.json over all runs, its median
median() { # pattern
    grep -h -m1 "\"$1\"" "$work"/report.* | sed 's/.*: *//; s/,//' | sort -g |
        awk '{x[NR] = $1} END {print x[int((NR + 1) / 2)]}'
}
phases="join load dedupe settle match group veto label write"
total=$(for run in $(seq "$runs"); do
    sed -n '2s/.*: \([0-9.]*\) s.*/\1/p' "$work/summary.$run"
done | sort -g | awk '{x[NR] = $1} END {print x[int((NR + 1) / 2)], x[1], x[NR]}')
memory=$(sed -n '2s/.*, \([0-9]*\) MiB.*/\1/p' "$work"/summary.* | sort -g | tail -1)

echo "records          $records ($(stat -c %s "$work/people.csv") bytes), $runs runs, $(nproc) processors"
for phase in $phases; do
    printf '%-16s %8.3f s\n' "$phase" "$(median "$phase")"
done
printf '%-16s %8.2f s   (least %s, most %s)\n' total $total
echo "pairs compared   $(median pairs_compared)"
echo "pairs matched    $(median pairs_matched)"
awk -v pairs="$(median pairs_compared)" -v s="$(median match)" \
    'BEGIN {printf "pairs a second   %.2f million (match phase)\n", pairs / s / 1e6}'
echo "resident memory  $memory MiB at most (mapped store files included)"
"$kindred" evaluate --worst 0 --truth "$work/truth.csv" "$work/out" | sed -n '3,$p'

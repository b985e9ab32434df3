#!/usr/bin/env bash
# The batch benchmark: generated person records, files in, MatchGroups and golden records out.
#
#   tests/bench/batch.sh [RECORDS [RUNS [KIND]]]       default 1000000 records, 5 runs, rules
#
# KIND: rules    nine columns, rules with fuzzy terms (people.yaml)
#       trained  five columns, a model that is trained in the run (people_model.yaml)
#       model    the same with the model given: trained once before, on the same records
#       growth   as model, but candidate pairs grow with the records: the name keys have the birth year
#                or the city too, and every million records brings names of its own; the model is that of
#                a million records
#
# Prints the seconds of each phase (median over the runs), of the whole command, pairs compared, and the
# largest resident memory. KINDRED and KIN_GENERATE name the programs; default: those of build/release.
# Timings are for reading: no test passes or fails by them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
records=${1:-1000000}
runs=${2:-5}
kind=${3:-rules}
kindred=${KINDRED:-$top/build/release/kindred}
generate=${KIN_GENERATE:-$top/build/release/tests/kin_generate}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tighten() { # keys whose pairs grow with the records
    sed 's/- \[first_name, last_name\]/- [first_name, last_name, year(dob)]/
         s/- \[last_name, dob\]/- [last_name, dob, city]/
         s/- \[first_name, dob\]/- [first_name, dob, city]/'
}
train() { # RECORDS: model.json
    mkdir "$work/train"
    "$generate" --records "$1" --seed 1 --columns few "${generated[@]}" --out "$work/train"
    cp "$work/people.yaml" "$work/train/"
    "$kindred" train "$work/train/people.yaml" -o "$work/model.json" -q
    rm -rf "$work/train"
    sed -i 's/^model:/model:\n  file: model.json/' "$work/people.yaml"
}

generated=()
case $kind in
rules) cp "$here/people.yaml" "$work/" ;;
trained | model | growth)
    cp "$here/people_model.yaml" "$work/people.yaml"
    if [[ $kind == growth ]]; then
        tighten < "$here/people_model.yaml" > "$work/people.yaml"
        generated=(--pairs linear)
    fi
    [[ $kind == trained ]] || train "$((records < 1000000 ? records : 1000000))"
    generated+=(--columns few)
    ;;
*) echo "batch.sh: what is '$kind'?" >&2 && exit 2 ;;
esac
"$generate" --records "$records" --seed 1 "${generated[@]}" --out "$work"

for run in $(seq "$runs"); do
    rm -rf "$work/out"
    from=$(date +%s%N)
    "$kindred" match "$work/people.yaml" -o "$work/out" > "$work/summary.$run"
    echo $((($(date +%s%N) - from) / 1000000)) >> "$work/wall"
    cp "$work/out/report.json" "$work/report.$run"
done

# the value of a key of report.json over all runs, its median
median() { # pattern
    grep -h -m1 "\"$1\"" "$work"/report.* | sed 's/.*: *//; s/,//' | sort -g |
        awk '{x[NR] = $1} END {print x[int((NR + 1) / 2)]}'
}
phases="join load dedupe settle train match group veto label write"
total=$(for run in $(seq "$runs"); do
    sed -n '2s/.*: \([0-9.]*\) s.*/\1/p' "$work/summary.$run"
done | sort -g | awk '{x[NR] = $1} END {print x[int((NR + 1) / 2)], x[1], x[NR]}')
memory=$(sed -n '2s/.*, \([0-9]*\) MiB.*/\1/p' "$work"/summary.* | sort -g | tail -1)

echo "records          $records ($(stat -c %s "$work/people.csv") bytes), $runs runs, $(nproc) processors"
for phase in $phases; do
    printf '%-16s %8.3f s\n' "$phase" "$(median "$phase")"
done
printf '%-16s %8.2f s   (least %s, most %s)\n' total $total
sort -g "$work/wall" | awk '{x[NR] = $1 / 1000} END {printf "%-16s %8.2f s   (least %s, most %s)\n", "command", x[int((NR + 1) / 2)], x[1], x[NR]}'
echo "pairs compared   $(median pairs_compared)"
echo "pairs matched    $(median pairs_matched)"
awk -v pairs="$(median pairs_compared)" -v s="$(median match)" \
    'BEGIN {printf "pairs a second   %.2f million (match phase)\n", pairs / s / 1e6}'
echo "resident memory  $memory MiB at most (mapped store files included)"
"$kindred" evaluate --worst 0 --truth "$work/truth.csv" "$work/out" | sed -n '3,$p'

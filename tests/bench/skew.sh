#!/usr/bin/env bash
# What uneven data cost: the same job over even and over skewed records.
#
#   tests/bench/skew.sh [RECORDS [THREADS]]       default 200000 records, 2 threads
#
# For each workload and phase: seconds, CPU seconds, and how many threads shared the CPU seconds of the
# compute threads: all of them over those of the busiest, 1.0 where one did everything. Then pairs compared,
# and the CPU seconds held against what even data would have taken for as many pairs: those of `even`, and for
# each pair more what one costs in `wide`, which is even with a key that finds many more.
#
# Once in one process, then on a coordinator and two worker processes of one thread each. CPU seconds are
# those of all threads that live at the end of a phase (/proc/PID/task/*/schedstat), so other work on the machine
# blurs them little. KINDRED and KIN_GENERATE name the programs; default: those of build/release. WORKLOADS chooses.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
records=${1:-200000}
threads=${2:-2}
kindred=${KINDRED:-$top/build/release/kindred}
generate=${KIN_GENERATE:-$top/build/release/tests/kin_generate}
workloads=${WORKLOADS:-even wide hot window star blocks few}
bin=$(dirname "$kindred")
work=$(mktemp -d)
pids=()
clean_up() {
    [[ ${#pids[@]} -eq 0 ]] || kill -9 "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

# ---- workloads: records, and the workflow that makes them hurt ----

data() { # NAME
    case $1 in
    even | wide) echo none ;;
    hot | window | star) echo hot ;;
    *) echo "$1" ;;
    esac
}
job() { # NAME: the workflow on stdout
    case $1 in
    wide) sed 's/^rules:/  - ["prefix(last_name, 3)", year(dob)]\n&/' "$here/people.yaml" ;;
    hot) sed 's/^rules:/refine: [last_name, first_name]\n&/' "$here/people.yaml" ;;
    window) sed 's/^rules:/refine: []\n&/' "$here/people.yaml" ;;
    star) sed 's/^rules:/&\n  - {name: e-mail, when: Exact(email)}/' "$here/people.yaml" ;;
    *) cat "$here/people.yaml" ;;
    esac
}
declare -A says=(
    [even]="names and dates as they come"
    [wide]="the same records, and a wide key: many more pairs"
    [hot]="one e-mail address in 5 % of the records, refined by surname"
    [window]="the same, refined by nothing: one window"
    [star]="the same, and a rule Exact(email): one star, one MatchGroup"
    [blocks]="every record in a block of a hundred, at most 10,000 blocks"
    [few]="40 given names, $((records / 2500 + 1)) surnames, births on four days of a year"
)
for name in $workloads; do
    mkdir -p "$work/$name"
    kind=$(data "$name")
    [[ -d $work/data.$kind ]] || "$generate" --records "$records" --seed 1 --skew "$kind" --out "$work/data.$kind"
    ln "$work/data.$kind/people.csv" "$work/$name/people.csv"
    job "$name" >"$work/$name/people.yaml"
done

# ---- measuring ----

# One line a thread: NAME OF THE MOMENT, its nanosecond, process, thread, name of the thread, CPU nanoseconds
snapshot() { # MOMENT PID...
    local moment=$1 now pid task name cpu
    shift
    now=$(date +%s%N)
    for pid in "$@"; do
        for task in /proc/"$pid"/task/*; do
            { read -r name <"$task/comm" && read -r cpu _ <"$task/schedstat"; } 2>/dev/null || continue
            echo "$moment $now $pid ${task##*/} $name $cpu"
        done
    done
}
# The phases of one job out of log lines on stdin, until it is done.
watch() { # PID...
    local line phase
    snapshot start "$@"
    while read -r line; do
        [[ $line == *'"event":"phase"'* ]] || continue
        phase=${line#*phase=}
        phase=${phase%% *}
        snapshot "$phase" "$@"
        [[ $phase != "done" ]] || break
    done
}
report() { # NAME: table of a workload from its snapshots; keeps "CPU of match, of the others" in NAME.cpu
    awk -v name="$1" -v keep="$work/$1.cpu" '
        # what happened between the moment before and this one belongs to the phase that began then
        $1 != moment { before = moment; moment = $1; at[moment] = $2; order[++moments] = moment
                       if (before != "") wall[before] = ($2 - at[before]) / 1e9 }
        { key = $3 " " $4; d = ($6 - last[key]) / 1e9; last[key] = $6
          if (before == "") next
          cpu[before] += d
          if ($5 ~ /^kin-pool/) { pool[before] += d; if (d > most[before]) most[before] = d
                                  process[before " " $3] += d }
          processes[$3] = 1 }
        END {
            for (i = 1; i < moments; i++) {
                p = order[i]
                if (p == "match") match_cpu = cpu[p]; else other_cpu += cpu[p]
                if (cpu[p] < 0.02) continue
                share = 0
                for (q in processes) share = process[p " " q] > share ? process[p " " q] : share
                printf "%-8s %-9s %8.3f s %8.3f CPU s %6.1f threads", name, p, wall[p], cpu[p],
                       (most[p] > 0 ? pool[p] / most[p] : 1)
                if (length(processes) > 1) printf " %6.0f %% in one process", pool[p] ? 100 * share / pool[p] : 0
                print ""
            }
            print match_cpu, other_cpu > keep
        }' "$work/$1.snapshots"
}
pairs_of() { # NAME
    sed -n 's/^ *"pairs_compared": *\([0-9]*\).*/\1/p' "$work/$1/out/report.json" | head -1
}
compare() { # NAME; even and wide come first
    local match other pairs
    read -r match other <"$work/$1.cpu"
    pairs=$(pairs_of "$1")
    [[ $1 != even ]] || echo "$match $other $pairs" >"$work/base"
    [[ $1 != wide ]] || echo "$match $other $pairs" >>"$work/base"
    awk -v n="$1" -v m="$match" -v o="$other" -v p="$pairs" '
        NR == 1 { match_cpu = $1; all = $1 + $2; pairs = $3 }
        NR == 2 { each = ($1 - match_cpu) / ($3 - pairs) }
        END { printf "%-8s %d pairs compared, %.2f CPU s", n, p, m + o
              if (NR == 2) printf ": %.2f times even data with as many pairs", (m + o) / (all + each * (p - pairs))
              print "\n" }' "$work/base"
}

echo "$records records, $threads threads, $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
for name in $workloads; do
    echo "  $name: ${says[$name]}"
done
echo
echo "one process"
mkfifo "$work/log"
for name in $workloads; do
    for _ in 1 2 3; do # again if the process was gone before it was looked at for the last time
        "$kindred" match "$work/$name/people.yaml" -o "$work/$name/out" --quiet --threads "$threads" --log json 2>"$work/log" &
        pids=($!)
        { watch "${pids[0]}"; cat >/dev/null; } <"$work/log" >"$work/$name.snapshots"
        wait "${pids[0]}"
        pids=()
        ! grep -q '^publish .* kin-pool ' "$work/$name.snapshots" || break
    done
    report "$name"
    compare "$name"
done

echo "a coordinator and two workers of one thread each"
export KINDRED_CLUSTER=unix://$work/socket
mkfifo "$work/c.log"
"$bin/kindred-coordinator" --listen "$KINDRED_CLUSTER" --data "$work/c" --files "$work" --workers 2 \
    --threads "$threads" 2>"$work/c.log" &
pids+=($!)
exec 3<"$work/c.log"
for n in 1 2; do
    "$bin/kindred-worker" --coordinator "$KINDRED_CLUSTER" --data "$work/w$n" --name "w$n" --threads 1 2>"$work/w$n.log" &
    pids+=($!)
done
for name in $workloads; do
    cp "$work/$name/out/matches.csv" "$work/$name.csv"
    rm -rf "$work/$name/out"
    "$kindred" match "$work/$name/people.yaml" -o "$work/$name/out" --quiet --at-coordinator &
    pids+=($!)
    watch "${pids[@]:0:3}" <&3 >"$work/$name.snapshots"
    wait "${pids[3]}"
    pids=("${pids[@]:0:3}")
    cmp "$work/$name.csv" "$work/$name/out/matches.csv"
    report "$name"
    compare "$name"
done

#!/usr/bin/env bash
# What live operation can bear: lookups over RPC and HTTP, closed and open loop, alone and beside upserts;
# how long a record takes that is put and waited for; bulk upserts; and how soon lookups are whole again
# after a kill -9. Twice: of a coordinator and two workers as processes of their own, and of `kindred serve`.
# First the load generator against a trivial responder, which is what it can do itself.
#
#   tests/bench/live.sh [SECONDS [RECORDS]]        default 10 seconds each, 1000000 records
#
#   LIVE_VARIANTS   which of these: "generator cluster serve" (all)
#   LIVE_WORKFLOW   people.yaml (default: rules), or people_model.yaml, whose model is trained first
#   LIVE_KEEP       a directory for data, logs and tables, which is kept (default: a temporary one)
#   KINDRED_BIN     where the programs are (build/release)
#
# Generator, coordinator and workers share this machine: read `processors` beside the figures. Upserts are
# of records the data do not have, at first new ones; from case to case their ids stay and all else changes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
seconds=${1:-10}
records=${2:-1000000}
bin=$(realpath "${KINDRED_BIN:-$top/build/release}")
load=$bin/tests/bench_load
work=${LIVE_KEEP:-$(mktemp -d)}
mkdir -p "$work"
work=$(realpath "$work")
declare -A pid_of=()
cases=0
export LC_ALL=C

clean_up() {
    kill -9 "${pid_of[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    [ -n "${LIVE_KEEP:-}" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
port=$((20000 + $$ % 10000))
say() { printf '\n== %s ==\n' "$*"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
since() { # MS: in seconds
    awk -v ms=$(($(now_ms) - $1)) 'BEGIN { printf "%.2f s", ms / 1000 }'
}

# ---- the processes ----

start() { # NAME: its log is $work/NAME.log
    case $1 in
        coordinator) "$bin/kindred-coordinator" --listen "$url" --http "127.0.0.1:$port" --workers 2 \
            --data "$work/coordinator.data" 2>>"$work/coordinator.log" & ;;
        serve) : >"$work/ready"; "$bin/kindred" serve "$work/$workflow" --data "$work/serve.data" --listen "$url" \
            --http "127.0.0.1:$port" >"$work/ready" 2>>"$work/serve.log" & ;;
        *) "$bin/kindred-worker" --coordinator "$url" --name "$1" --data "$work/$1.data" 2>>"$work/$1.log" & ;;
    esac
    pid_of[$1]=$!
}
kill_hard() { # NAME
    kill -9 "${pid_of[$1]}"
    wait "${pid_of[$1]}" 2>/dev/null || true
    unset "pid_of[$1]"
}
is_whole() { # served, by all workers, and all that was put is applied
    "$bin/kindred" status --json --cluster "$url" --timeout 1 2>/dev/null |
        grep -q '"live":\[{.*"pending":0,.*"workers_lost":0,"partial":false'
}
wait_whole() { # LABEL: at most ten minutes
    local began=$SECONDS
    until is_whole; do
        ((SECONDS - began < 600)) || { echo "$1: still not whole after ten minutes"; exit 1; }
        sleep 0.02
    done
}
cpu_ticks() { # of all processes that serve
    local name sum=0 fields
    for name in "${!pid_of[@]}"; do
        read -r -a fields <"/proc/${pid_of[$name]}/stat" || continue
        sum=$((sum + fields[13] + fields[14]))
    done
    echo $sum
}
sizes() { # memory and disk
    local name
    for name in "${!pid_of[@]}"; do
        printf '%-12s %6d MiB of its own memory, %6d MiB of mapped files, %6d MiB of data\n' "$name" \
            "$(awk '/^RssAnon/ { print int($2 / 1024) }' "/proc/${pid_of[$name]}/status")" \
            "$(awk '/^RssFile/ { print int($2 / 1024) }' "/proc/${pid_of[$name]}/status")" \
            "$(du -sm "$work/$name.data" | cut -f 1)"
    done
}

# ---- one case ----

heading() {
    printf '%-44s %9s %9s %8s %8s %8s %8s %6s %7s %6s  %s\n' '' requests/s records/s p50 p99 p99.9 'max (ms)' \
        'found' 'servers' 'driver' errors
}
# Of one line of JSON: the lookups, and the puts if there are some. `servers`, `driver`: processors used.
print_case() { # LABEL TICKS
    awk -v label="$1" -v ticks="$2" -v hz="$(getconf CLK_TCK)" '
        function number(text, key) {
            return match(text, "\"" key "\":[-0-9.]+") ? substr(text, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0
        }
        function row(name, t, is_put, errors) {
            errors = number(t, "lost") ? " lost " number(t, "lost") : ""
            if (number(t, "broken")) errors = errors " broken " number(t, "broken")
            if (number(t, "partial")) errors = errors " partial " number(t, "partial")
            if (match(t, /"refused":\{[^}]+\}/)) errors = errors " " substr(t, RSTART + 1, RLENGTH - 1)
            printf "%-44s %9.0f %9.0f %8.2f %8.2f %8.2f %8.1f %6s %7s %6s %s\n", name, number(t, "requests_per_s"),
                number(t, "records_per_s"), number(t, "p50_us") / 1000, number(t, "p99_us") / 1000,
                number(t, "p999_us") / 1000, number(t, "max_us") / 1000,
                is_put ? "" : sprintf("%.0f%%", 100 * number(t, "found") / (number(t, "answered") * number(all, "batch") + 1e-9)),
                is_put ? "" : ticks == "" ? "" : sprintf("%.2f", ticks / hz / (number(all, "seconds") + warm)),
                is_put ? "" : sprintf("%.2f", number(all, "generator_cpu_share")), errors
        }
        { all = $0; warm = 1; at = index(all, ",\"put\":{")
          lookup = at ? substr(all, 1, at) : all
          row(label, substr(lookup, index(lookup, "\"lookup\":")), 0)
          if (at) row("  upserts beside", substr(all, at), 1) }' "$work/case.json"
    printf '%s\t%s\n' "$1" "$(cat "$work/case.json")" >>"$work/cases.tsv"
}
drive() { # LABEL OPTIONS...
    local label=$1 ticks
    shift
    ticks=$(cpu_ticks)
    if "$load" --json --warm-up 1 --seconds "$seconds" --typos 20 "$@" >"$work/case.json" 2>"$work/case.err"; then
        print_case "$label" "$(($(cpu_ticks) - ticks))"
    else
        printf '%-44s failed: %s\n' "$label" "$(tail -n 1 "$work/case.err" "$work/case.json" | tr '\n' ' ')"
    fi
}
next_upserts() { # the records that the next case puts: 40,000 others
    local from=$((cases * 40000 % records))
    cases=$((cases + 1))
    awk -v from=$from 'NR == 1 || (NR > from + 1 && NR <= from + 40001)' "$work/more/people.csv" >"$work/upserts.csv"
}
matrix() { # LABEL OPTIONS...
    local what=$1 n batch
    shift
    for batch in 1 64; do
        for n in 1 64 1024; do
            drive "$what, $n in flight, $batch a request" "$@" --in-flight $n --batch $batch
        done
    done
    drive "$what, 10,000/s wanted" "$@" --in-flight 1024 --rate 10000
}
upserts=() # 2,000 a second; beside
beside() {
    next_upserts
    upserts=(--put-rpc "$url" --put-records "$work/upserts.csv" --put-rate 200 --put-batch 10)
}

# ---- all cases of what is served now ----

measure() { # NAMES OF PROCESSES TO BE KILLED...
    local name began over data=(--records "$work/people.csv")
    wait_whole 'after the load'
    sizes
    heading
    for over in RPC HTTP; do
        local server=(--rpc "$url")
        [ $over = RPC ] || server=(--http "127.0.0.1:$port")
        matrix $over "${server[@]}" "${data[@]}"
        for n in 1 64 1024; do
            beside
            drive "$over, $n in flight, 1 a request" "${server[@]}" "${data[@]}" --in-flight "$n" "${upserts[@]}"
            wait_whole 'after upserts'
        done
        beside
        drive "$over, 64 in flight, 64 a request" "${server[@]}" "${data[@]}" --in-flight 64 --batch 64 "${upserts[@]}"
        wait_whole 'after upserts'
        beside
        drive "$over, 1,000/s wanted" "${server[@]}" "${data[@]}" --in-flight 1024 --rate 1000 "${upserts[@]}"
        wait_whole 'after upserts'
        beside
        drive "$over, 10,000/s wanted" "${server[@]}" "${data[@]}" --in-flight 1024 --rate 10000 "${upserts[@]}"
        wait_whole 'after upserts'
    done

    say 'one record, put and applied, 50/s; alone and beside 2,000 upserts/s'
    heading
    next_upserts
    drive 'alone' --rpc "$url" "${data[@]}" --rate 1 --put-rate 50 --put-batch 1 --put-wait --put-records "$work/upserts.csv"
    beside
    "$load" --json --warm-up 1 --seconds $((seconds + 3)) --rpc "$url" "${data[@]}" --rate 1 "${upserts[@]}" \
        >/dev/null 2>&1 &
    pid_of[upserts]=$!
    sleep 1
    drive 'beside' --rpc "$url" "${data[@]}" --rate 1 --put-rate 50 --put-batch 1 --put-wait \
        --put-records "$work/people.csv" # under ids that the others have, too
    wait "${pid_of[upserts]}" || true
    unset 'pid_of[upserts]'
    wait_whole 'after upserts'

    say 'bulk upserts, 1,000 a request'
    head -n $((records / 4 + 1)) "$work/more/people.csv" >"$work/bulk.csv"
    for name in created updated; do
        began=$(now_ms)
        "$bin/kindred" put "$work/bulk.csv" --wait --cluster "$url" | tr '\n' ' '
        awk -v ms=$(($(now_ms) - began)) -v n=$((records / 4)) \
            'BEGIN { printf "in %.1f s: %.0f records/s applied\n", ms / 1000, n / (ms / 1000 + 1e-9) }'
    done
    began=$(now_ms)
    "$bin/kindred" put "$work/bulk.csv" --cluster "$url" | tr '\n' ' '
    printf 'in %s, ' "$(since "$began")"
    wait_whole 'after the bulk'
    printf 'applied after %s\n' "$(since "$began")"
    sizes

    say 'kill -9, until lookups are whole again'
    for name in "$@"; do
        kill_hard "$name"
        began=$(now_ms)
        start "$name"
        wait_whole "$name"
        printf '%-12s %s\n' "$name" "$(since "$began")"
    done
}

finish() { # NAMES OF ALL PROCESSES...
    local name
    for name in "$@"; do
        kill_hard "$name"
    done
}

# ---- run ----

variants=" ${LIVE_VARIANTS:-generator cluster serve} "
workflow=${LIVE_WORKFLOW:-people.yaml}
nproc=$(getconf _NPROCESSORS_ONLN)
printf '%s processors, %s records, %s s each, %s\n' "$nproc" "$records" "$seconds" "$workflow"
columns=all
[ "$workflow" = people.yaml ] || columns=few
mkdir -p "$work/more"
"$bin/tests/kin_generate" --records "$records" --seed 1 --columns $columns --out "$work"
"$bin/tests/kin_generate" --records "$records" --seed 2 --columns $columns --out "$work/more"
cp "$here/$workflow" "$work"

if [[ $variants == *' generator '* ]]; then
    say 'the generator against a trivial responder'
    "$load" --serve-rpc "unix://$work/trivial.sock" &
    pid_of[rpc]=$!
    "$load" --serve-http "$port" &
    pid_of[http]=$!
    sleep 0.5
    heading
    matrix RPC --rpc "unix://$work/trivial.sock"
    matrix HTTP --http "127.0.0.1:$port"
    finish rpc http
    port=$((port + 1))
fi
if [[ $variants == *' cluster '* ]]; then
    say 'coordinator and two workers'
    url=tcp://127.0.0.1:$((port + 1))
    start coordinator
    start worker-1
    start worker-2
    began=$(now_ms)
    "$bin/kindred" match "$work/$workflow" -o "$work/cluster.out" --serve --cluster "$url" --quiet
    printf 'matched and served in %s\n' "$(since "$began")"
    measure worker-1 coordinator
    finish coordinator worker-1 worker-2
    port=$((port + 2))
fi
if [[ $variants == *' serve '* ]]; then
    say 'kindred serve'
    url=unix://$work/serve.sock
    began=$(now_ms)
    start serve
    until grep -q '^listening' "$work/ready"; do
        kill -0 "${pid_of[serve]}" || { tail -n 3 "$work/serve.log"; exit 1; }
        sleep 0.05
    done
    printf 'matched and served in %s\n' "$(since "$began")"
    measure serve
    finish serve
fi
[ -z "${LIVE_KEEP:-}" ] || printf '\ncases as JSON: %s\n' "$work/cases.tsv"

#!/usr/bin/env bash
# A run that is killed at any moment goes on when the same command is given again, and its result is that of
# a run nobody disturbed, byte for byte; the output directory is there whole or not at all. Also: SIGINT and
# SIGTERM, a disk that is full on the way, and a second process on the same state. All that is about jobs with
# a state on the disk; a job within limits.memory has none: it is begun anew, and leaves nothing behind.
#
#   KILL_ROUNDS  rounds of up to five kills (12)
#   KILL_RECORDS records (30000)
#   KILL_FIRST   number of the first round, to repeat one (1); a round is a function of its number
#                but for the machine's speed
. "$(dirname "$0")/lib_run.sh"
rounds=${KILL_ROUNDS:-12} records=${KILL_RECORDS:-30000} first=${KILL_FIRST:-1}

cd "$scratch" || exit 1
generate data "$records" 7 --sources 2
# a dozen rejected rows, among the others, and as many that are superseded
awk 'NR % 5000 == 9 { print "short,row" } NR % 5000 == 19 { print; print } 1' data/people_1.csv >data/one.csv
cat >w.yaml <<'Y'
kindred: 1
workflow: kill
fields:
  first_name: name
  last_name: name
  dob: date
  email: email
  phone: {type: phone, country: GB}
  postcode: postcode
sources:
  one: {path: data/one.csv, id: id, updated: updated}
  two: {path: data/people_2.csv, id: id, updated: updated}
rules:
  - Exact(email)
  - Exact(phone) AND JaroWinkler(last_name, 0.85)
  - JaroWinkler(last_name, 0.92) AND JaroWinkler(first_name, 0.9) AND Exact(dob)
  - JaroWinkler(last_name, 0.9) AND Levenshtein(first_name, 1) AND Exact(postcode)
never:
  - Differs(dob) AND Differs(postcode) AND Differs(phone)
block_on:
  - [email]
  - [phone]
  - [soundex(last_name)]
  - [prefix(last_name, 2), postcode]
refine: [first_name]
limits: {max_block: 100, window: 10, memory: 0}
Y
awk '{ sub(/, memory: 0/, ""); print }' w.yaml >small.yaml
awk '{ sub(/workflow: kill/, "workflow: old"); print }' w.yaml >old.yaml

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

outputs='matches.csv groups.csv errors.csv pairs.csv'
# what report.json says but for the time it took
facts() { awk '/^  "seconds": \{/ { skip = 1 } !skip { print } /^  \}/ { skip = 0 }' "$1/report.json"; }

# DIR is nothing, the earlier output, or the new one, each of them whole.
check_whole() { # DIR LABEL
    local file like=good
    [ -e "$1" ] || return
    if grep -qF '"workflow": "old"' "$1/report.json" 2>/dev/null; then like=old; fi
    for file in $outputs; do
        same_file "$like/$file" "$1/$file" "$2: after a kill, $1/$file of the $like output"
    done
    [ -s "$1/report.json" ] || fail "$2: after a kill $1 has no report.json"
}

check_result() { # DIR LABEL
    local file
    for file in $outputs; do
        same_file "good/$file" "$1/$file" "$2: $file"
    done
    cmp -s <(facts good) <(facts "$1") || fail "$2: report.json tells other facts"
    check_accounts "$1" "$2"
    [ ! -e "$1.state" ] || fail "$2: the state is still there"
    [ ! -e ".$1.partial" ] || fail "$2: a partial output is still there"
}

# ---- undisturbed ----

"$KINDRED" match old.yaml -o old --pairs -q || fail 'the earlier output cannot be made'
began=$(milliseconds)
"$KINDRED" match w.yaml -o good --pairs -q --workers 2 || fail 'the undisturbed run failed'
duration=$(($(milliseconds) - began))
check_result good 'undisturbed'
[ "$(report_number good/report.json read)" -gt "$records" ] || fail 'the data have no superseded rows'
[ "$(report_number good/report.json rejected)" -gt 0 ] || fail 'the data have no rejected rows'
grep -q '"matched_pairs_refused": [1-9]' good/report.json || fail 'the data have no vetoes'
grep -q '"windowed_blocks": [1-9]' good/report.json || fail 'the data have no windowed blocks'

# ---- kill -9 ----

kills=0 early=0 resumed=0
: >phases
round() { # NUMBER
    local number=$1 label="round $1" workers threads kill wait_ms elapsed code dir=out
    RANDOM=$((number * 7919 % 32768))
    workers=$((1 + RANDOM % 3)) threads=$((1 + RANDOM % 3))
    local command=("$KINDRED" match w.yaml -o $dir --pairs --workers $workers --threads $threads --log json)
    rm -rf $dir
    if ((number % 3 == 0)); then cp -r old $dir; fi # an earlier output, to be replaced
    if ((number % 5 == 0)); then command+=(--fsync); fi
    for ((kill = 1; kill <= 5; kill++)); do
        wait_ms=$((RANDOM % (duration + duration / 5 + 1)))
        began=$(milliseconds)
        timeout --foreground -s KILL "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000 + 1)))" \
            "${command[@]}" >/dev/null 2>log
        code=$?
        elapsed=$(($(milliseconds) - began))
        grep -q '"event":"job_resumed"' log && resumed=$((resumed + 1))
        check_whole $dir "$label, kill $kill"
        if ((code != 137)); then
            # 124: it ended in the moment of the kill
            ((code == 0 || code == 124)) || fail "$label: status $code before kill $kill: $(tail -n 3 log)"
            early=$((early + 1))
            # on a busy machine the first measure was too long
            if ((kill == 1 && elapsed < duration)); then duration=$elapsed; fi
            break
        fi
        kills=$((kills + 1))
        awk -F'phase=' '/"event":"phase"/ { split($2, p, " "); last = p[1] } END { print (last ? last : "start") }' log >>phases
    done
    "${command[@]}" >/dev/null 2>log
    code=$?
    ((code == 0)) || fail "$label: status $code at the end: $(tail -n 3 log)"
    grep -q '"event":"job_resumed"' log && resumed=$((resumed + 1))
    check_result $dir "$label ($workers workers, $threads threads, $kill kills)"
}

for ((n = first; n < first + rounds; n++)); do
    round $n
done
printf '%d rounds of up to %d ms: %d kills, %d runs done before their kill, %d resumptions; killed in:' \
    "$rounds" "$duration" "$kills" "$early" "$resumed"
sort phases | uniq -c | awk '{ printf " %s %d", $2, $1 } END { print "" }'
((resumed > 0 || rounds < 5)) || fail 'no run was ever resumed: the kills come too early'

# ---- signals that ask ----

hint='kindred: what was done is kept in out.state; the same command goes on there'

# Runs until the log shows the phase, then stops the process there. Sets pid.
run_until() { # PHASE WORKFLOW OPTIONS...
    local phase=$1 workflow=$2 tries
    shift 2
    for ((tries = 0; tries < 20; tries++)); do
        rm -rf out out.state
        : >log # or the log of the run before is read, until this one has opened it
        "$KINDRED" match "$workflow" -o out --pairs --workers 2 --log json "$@" >/dev/null 2>log &
        pid=$!
        until grep -q "phase=$phase" log; do
            kill -0 $pid 2>/dev/null || break
        done
        kill -STOP $pid 2>/dev/null || { wait $pid; continue; }
        grep -q 'phase=publish' log || return 0
        kill -CONT $pid
        wait $pid
    done
    fail "the run was never seen in its phase $phase"
    return 1
}

interrupted() { # SIGNAL PHASE: false where the run was done before it could be
    local label="SIG$1 in phase $2"
    run_until "$2" w.yaml || return 0
    kill "-$1" $pid
    kill -CONT $pid
    wait $pid
    code=$?
    [ $code != 0 ] || return 1
    [ $code = 1 ] || fail "$label: status $code"
    [ "$(tail -n 1 log)" = "$hint" ] || fail "$label: no hint, but: $(tail -n 3 log)"
    tail -n 2 log | grep -q '^kindred: stopped by signal' || fail "$label: no reason: $(tail -n 2 log)"
    [ ! -e out ] || fail "$label: there is an output"
    [ ! -e .out.partial ] || fail "$label: a partial output is left"
    "$KINDRED" match w.yaml -o out --pairs --workers 2 --log json >/dev/null 2>log || fail "$label: not resumed"
    grep -q '"event":"job_resumed"' log || fail "$label: begun anew"
    check_result out "$label"
}

for signal in INT TERM; do
    for phase in dedupe match; do
        for ((tries = 0; tries < 10; tries++)); do
            interrupted $signal $phase && break
        done
        ((tries < 10)) || fail "SIG$signal in phase $phase: the run goes on to its end"
    done
done

# ---- two processes, one state ----

if run_until load w.yaml; then
    "$KINDRED" match w.yaml -o out --pairs --workers 2 >/dev/null 2>second
    code=$?
    [ $code = 1 ] || fail "a second process on the state: status $code"
    [ "$(<second)" = 'kindred: out.state: in use by another process' ] || fail "a second process on the state: $(<second)"
    kill -CONT $pid
    wait $pid || fail 'the first of two processes on one state failed'
    check_result out 'two processes on one state'
fi

# ---- a full disk ----

for kib in 40 300 1200 2500 4000; do
    rm -rf out out.state
    (
        trap '' XFSZ
        ulimit -f $kib
        exec "$KINDRED" match w.yaml -o out --pairs --workers 2 >/dev/null 2>full
    )
    code=$?
    check_whole out "files of at most $kib KiB"
    ((code == 0)) && continue
    [ $code = 1 ] || fail "files of at most $kib KiB: status $code: $(<full)"
    [ -s full ] || fail "files of at most $kib KiB: nothing is said"
    "$KINDRED" match w.yaml -o out --pairs --workers 2 -q || fail "files of at most $kib KiB: not resumed"
    check_result out "files of at most $kib KiB"
done

# ---- within limits.memory ----

nothing_kept() { # LABEL
    [ ! -e out.state ] || fail "$1: there is a state"
    [ -z "$(ls "$scratch/tmp")" ] || fail "$1: there is something in TMPDIR"
}
rm -rf out out.state
mkdir -p "$scratch/tmp"
export TMPDIR=$scratch/tmp
"$KINDRED" match small.yaml -o out --pairs --workers 2 -q || fail 'the small job failed'
check_result out 'in memory'
"$KINDRED" match small.yaml -o there --pairs --workers 2 -q --state elsewhere || fail 'the small job with a state failed'
check_result there 'the small job with a state'
rm -rf out there

for phase in load settle match write; do
    run_until $phase small.yaml || continue
    nothing_kept "in memory, in phase $phase"
    kill -9 $pid
    wait $pid 2>/dev/null
    nothing_kept "in memory, killed in phase $phase"
    check_whole out "in memory, killed in phase $phase"
    "$KINDRED" match small.yaml -o out --pairs --workers 2 --log json >/dev/null 2>log || fail "in memory, killed in phase $phase: not begun anew"
    grep -q '"event":"job_resumed"' log && fail "in memory, killed in phase $phase: resumed, but from what?"
    check_result out "in memory, killed in phase $phase"
done

for signal in INT TERM; do
    run_until match small.yaml || continue
    kill -$signal $pid
    kill -CONT $pid
    wait $pid
    code=$?
    [ $code != 0 ] || continue # it was done before
    [ $code = 1 ] || fail "in memory, SIG$signal: status $code"
    tail -n 1 log | grep -q '^kindred: stopped by signal' || fail "in memory, SIG$signal: it says $(tail -n 1 log)"
    nothing_kept "in memory, SIG$signal"
    [ ! -e out ] && [ ! -e .out.partial ] || fail "in memory, SIG$signal: there is an output"
done

# A state that is there is gone on with, however small the job.
if run_until match small.yaml --state out.state; then
    kill -9 $pid
    wait $pid 2>/dev/null
    "$KINDRED" match small.yaml -o out --pairs --workers 2 --log json >/dev/null 2>log || fail 'a state that is there: not resumed'
    grep -q '"event":"job_resumed"' log || fail 'a state that is there: begun anew'
    check_result out 'a state that is there'
fi

# The stores take about four times the sources, twice that with several workers: within the limit there
# is no state, over it there is.
mib=$((($(cat data/one.csv data/people_2.csv | wc -c) * 4 + 1048575) / 1048576 * 2))
for limit in $mib $((mib - 1)); do
    awk -v limit=$limit '{ sub(/memory: 0/, "memory: " limit); print }' w.yaml >limit.yaml
    run_until load limit.yaml || continue
    if ((limit == mib)); then nothing_kept "limits.memory: $limit"; else
        [ -d out.state/worker-2 ] || fail "limits.memory: $limit, and no state"
    fi
    kill -9 $pid
    wait $pid 2>/dev/null
done

finish "$rounds rounds of kills, signals, two processes, a full disk, no state"

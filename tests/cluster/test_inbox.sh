#!/usr/bin/env bash
# `kindred inbox`: files that are dropped are put once, whatever is killed when, and their outputs are
# complete. Against the coordinator that is made for tests (fake_live.c).
# shellcheck disable=SC2015 # `check && check || fail`: fail may as well follow the second
# shellcheck source=tests/cluster/lib_run.sh
. "$(dirname "$0")/lib_run.sh"
: "${KIN_FAKE_LIVE:?the coordinator made for tests}"

cd "$scratch" || exit 1
export KINDRED_CLUSTER=unix://$scratch/live.sock
unset KINDRED_SECRET_FILE
start_fake() { # [STATE [BUSY [LOSE]]]
    "$KIN_FAKE_LIVE" "$KINDRED_CLUSTER" "$@" 2>>fake.log &
    fake=$!
}
stop_fake() {
    kill -9 "$fake" 2>/dev/null
    wait "$fake" 2>/dev/null
}
drop() { # FROM TO: as one should: under a hidden name, then renamed; and old enough to be taken at once
    local dir
    dir=$(dirname "$2")
    cp "$1" "$dir/.dropping" && touch -d '10 seconds ago' "$dir/.dropping" && mv "$dir/.dropping" "$2"
}
number() { # FILE KEY
    grep -o "\"$2\":[0-9]*" "$1" | head -n 1 | cut -d: -f 2
}

# ---- files of all kinds ----
start_fake
mkdir -p in/b
printf 'id,name,email,DELETE\n1,Ann,a@x,\n2,Anne,a@x,\n4,x,bad,\nbroken"row,1\n2,,,yes\n' >people.csv
printf '{"id":"9","email":"a@x"}\n' | gzip >web.jsonl.gz
printf 'id,id\n1,2\n' >wrong.csv
drop people.csv in/people.csv
drop web.jsonl.gz in/b/web.jsonl.gz
drop wrong.csv in/wrong.csv
mkdir -p in/nosuch
drop people.csv in/nosuch/people.csv
echo 'id' >in/.hidden
echo 'id' >in/half.csv.part
"$KINDRED" inbox in --once >once.out 2>once.err && fail 'inbox --once: a file failed, and the status is 0'
[ -f in/done/people.csv ] && [ -f in/done/b/web.jsonl.gz ] || fail "inbox: not done: $(cat once.err)"
cmp people.csv in/done/people.csv || fail 'inbox: the file changed'
cut -d, -f 1,2,4- in/out/people.csv.matches.csv >got
cat >want <<'CSV'
source,id,match_rule,confidence,outcome
,1,,,created
,2,same email,1,created
,2,,,deleted
CSV
diff -u want got || fail 'inbox: matches.csv'
cat >want <<'CSV'
source,file,line,id,field,reason,raw
,people.csv,4,4,email,no e-mail address,"4,x,bad,"
,people.csv,5,,id,quote inside an unquoted field (column 1),"broken""row,1"
CSV
diff -u want in/out/people.csv.errors.csv || fail 'inbox: errors.csv'
report=in/out/people.csv.report.json
[ "$(number $report read)" = 5 ] && [ "$(number $report created)" = 2 ] && [ "$(number $report deleted)" = 1 ] &&
    [ "$(number $report rejected)" = 2 ] || fail "inbox: report.json: $(cat $report)"
[ "$(wc -l <in/out/people.csv.changes.jsonl)" = "$(number $report changes)" ] || fail 'inbox: changes are miscounted'
grep -q '"id":"2"' in/out/people.csv.changes.jsonl || fail 'inbox: a change is missing'
[ -f in/failed/wrong.csv ] && grep -q 'wrong.csv' in/failed/wrong.csv.error.txt || fail 'inbox: an unreadable file'
[ -f in/failed/nosuch/people.csv ] && [ -f in/failed/nosuch/people.csv.error.txt ] || fail 'inbox: an unknown source'
[ -f in/.hidden ] && [ -f in/half.csv.part ] || fail 'inbox: an unfinished file was taken'
[ ! -e in/.kindred-inbox ] || fail 'inbox: the journal is left'
[ -z "$(find in/out in/taken -name '.*.tmp' -o -path 'in/taken/*' -type f)" ] || fail "inbox: left over: $(find in)"
drop people.csv in/people.csv # the same name again does not replace what is there
"$KINDRED" inbox in --once 2>>once.err || fail 'inbox: a second time'
[ -f in/done/people.2.csv ] && [ -f in/out/people.2.csv.report.json ] || fail "inbox: a name that was used: $(find in)"
stop_fake

# ---- a file that grows is left alone until it rests; two watchers ----
start_fake
mkdir grow
"$KINDRED" inbox grow --source a 2>grow.err &
watcher=$!
printf 'id,email\n' >grow/slow.csv
for n in 1 2 3 4 5 6; do
    sleep 0.5
    printf '%d,slow%d@x\n' "$n" "$n" >>grow/slow.csv
    [ -e grow/slow.csv ] || fail 'inbox: a file was taken while it grew'
done
"$KINDRED" inbox grow --once 2>second.err && fail 'inbox: two watch one directory'
grep -q 'another process' second.err || fail "inbox: two: $(cat second.err)"
for ((i = 0; i < 100; i++)); do
    [ -e grow/done/slow.csv ] && break
    sleep 0.1
done
[ "$(number grow/out/slow.csv.report.json created)" = 6 ] || fail 'inbox: a slow file'
kill -TERM "$watcher"
wait "$watcher" 2>/dev/null
stop_fake

# ---- killed at any moment: the watcher, and the coordinator ----
mkdir killed
files=6
for ((f = 0; f < files; f++)); do
    awk -v f="$f" 'BEGIN { print "id,email"; for (i = 0; i < 3000; i++) printf "%d,k%d@x\n", f * 3000 + i, (f * 3000 + i) % 5000 }' >k.csv
    drop k.csv "killed/f$f.csv"
done
start_fake killed.state 6 8
lives=0
delay=0.15
until [ "$(find killed/done -name 'f*.csv' 2>/dev/null | wc -l)" = "$files" ]; do
    lives=$((lives + 1))
    if ((lives > 60)); then
        fail "inbox: it does not come to an end: $(find killed)"
        break
    fi
    "$KINDRED" inbox killed --source a 2>>killed.err &
    watcher=$!
    sleep "$delay"
    kill -9 "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    delay=$(awk -v d="$delay" 'BEGIN { srand(); print (d > 2.5 ? 0.2 : d + 0.11) }')
    if ((lives % 4 == 0)); then
        stop_fake
        start_fake killed.state 6 8
    fi
done
"$KINDRED" inbox killed --source a --once 2>>killed.err || fail "inbox: the end: $(tail -n 3 killed.err)"
((lives >= 3)) || fail 'inbox: it was not killed often enough to tell'
for ((f = 0; f < files; f++)); do
    out=killed/out/f$f.csv
    [ "$(number "$out.report.json" read)" = 3000 ] || fail "inbox: f$f: read"
    [ "$(wc -l <"$out.matches.csv")" = 3001 ] || fail "inbox: f$f: matches"
    [ "$(awk -F, 'NR > 1 { print $2 }' "$out.matches.csv" | sort -n | uniq | wc -l)" = 3000 ] || fail "inbox: f$f: ids"
    sum=$(($(number "$out.report.json" created) + $(number "$out.report.json" updated)))
    ((sum == 3000)) || fail "inbox: f$f: $sum created or updated"
    [ "$(wc -l <"$out.changes.jsonl")" = "$(number "$out.report.json" changes)" ] || fail "inbox: f$f: changes"
    # each record's event is in the delta of its file, although it may be of an earlier life
    [ "$(grep -o '"source":"a","id":"[0-9]*"' "$out.changes.jsonl" | sort -u | wc -l)" = 3000 ] || fail "inbox: f$f: events"
done
[ "$(find killed/done killed/taken killed/failed -type f | wc -l)" = "$files" ] || fail "inbox: a file was taken twice: $(find killed)"
[ ! -e killed/.kindred-inbox ] || fail 'inbox: the journal is left after kills'
stop_fake
finish inbox

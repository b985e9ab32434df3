#!/usr/bin/env bash
# The commands that ask a cluster which serves, against one that is made for tests (fake_live.c): what they
# send, what they print, and that nothing is lost or counted twice where requests are refused, answers are
# lost and the coordinator is killed.
# shellcheck source=tests/cluster/lib_run.sh
. "$(dirname "$0")/lib_run.sh"
: "${KIN_FAKE_LIVE:?the coordinator made for tests}"

cd "$scratch" || exit 1
export KINDRED_CLUSTER=unix://$scratch/live.sock
unset KINDRED_SECRET_FILE
fake=

start_fake() { # [STATE [BUSY [LOSE]]]
    "$KIN_FAKE_LIVE" "$KINDRED_CLUSTER" "$@" 2>>fake.log &
    fake=$!
}
stop_fake() {
    kill -9 "$fake" 2>/dev/null
    wait "$fake" 2>/dev/null
}
# COMMAND ...: exit status and output as expected (a file; - is none)
expect() { # STATUS FILE LABEL ARGUMENTS...
    local status=$1 file=$2 label=$3 got=0
    shift 3
    "$KINDRED" "$@" >got.out 2>got.err || got=$?
    ((got == status)) || fail "$label: exit status $got, not $status: $(cat got.err)"
    if [ "$file" != - ]; then
        diff -u "$file" got.out >got.diff || fail "$label: $(cat got.diff)"
    fi
}
says() { # LABEL TEXT: on stderr or stdout
    grep -qF -- "$2" got.out got.err || fail "$1: '$2' is not said: $(cat got.out got.err)"
}

cat >p.csv <<'CSV'
id,name,email,DELETE
1,Ann,a@x,
2,"An, ne",a@x,
3,Bob,b@x,
4,x,bad,
broken"row,1
1,Annie,a@x,
3,,,true
CSV
printf '%s\n' '{"id":"9","email":["a@x","c@x"],"n":{"k":1}}' 'nope' '{"id":10,"email":"d@x"}' >q.jsonl

# ---- put ----
start_fake
cat >want <<'TEXT'
7 read: 3 created, 1 updated, 1 deleted, 2 rejected
TEXT
expect 0 want 'put' put p.csv --wait --errors e.csv
cat >want <<'CSV'
source,file,line,id,field,reason,raw
,p.csv,5,4,email,no e-mail address,"4,x,bad,"
,p.csv,6,,id,quote inside an unquoted field (column 1),"broken""row,1"
CSV
diff -u want e.csv || fail 'put: errors'
expect 3 - 'put --strict' put p.csv --wait --strict
says 'put --strict' 'p.csv:5: email: no e-mail address'
echo '3 read: 2 accepted, 1 rejected' >want
expect 0 want 'put without wait, JSON Lines' put q.jsonl --source b
expect 0 want 'put of standard input' put - --source b <q.jsonl
gzip -k q.jsonl
expect 0 want 'put of a compressed file' put q.jsonl.gz --source b
expect 1 - 'put to an unknown source' put p.csv --source zz
expect 1 - 'put of a file that is not there' put nothing.csv
says 'put of a file that is not there' 'nothing.csv'
expect 2 - 'put of no file' put
"$KINDRED" put p.csv --json --quiet 2>/dev/null | grep -c '"outcome":"accepted"' >got.out
[ "$(cat got.out)" = 5 ] || fail 'put --json: not an answer for each record'

# ---- lookup ----
a_id=$("$KINDRED" lookup email=a@x --json | sed 's/.*"match_id":"\([0-9a-f]*\)".*/\1/')
cat >want <<TEXT
match_id      $a_id
by            same email, confidence 1
record        a/1, group of 3
TEXT
expect 0 want 'lookup of one record' lookup email=a@x email=zz name=Ann
echo 'no match' >want
expect 0 want 'lookup without a match' lookup email=none@x
echo 'no match: email: no e-mail address' >want
expect 0 want 'lookup of what is rejected' lookup email=bad
cat >want <<CSV
id,name,email,DELETE,match_id,match_rule,confidence,matched_source,matched_id,lookup_error
1,Ann,a@x,,$a_id,same email,1,a,1,
2,"An, ne",a@x,,$a_id,same email,1,a,1,
3,Bob,b@x,,,,,,,
4,x,bad,,,,,,,email: no e-mail address
1,Annie,a@x,,$a_id,same email,1,a,1,
3,,,true,,,,,,
CSV
expect 0 want 'lookup of a CSV file' lookup p.csv
says 'lookup of a CSV file' '7 read: 3 matched, 2 without a match, 2 rejected'
expect 0 - 'lookup of standard input into a file' lookup - -o o.csv <p.csv
diff -u want o.csv || fail 'lookup -o'
printf 'match_id;email\n1;"a;x"\n' >taken.csv
printf 'match_id,email,lookup_match_id,match_rule,confidence,matched_source,matched_id,lookup_error\n1,a;x,,,,,,\n' >want
expect 0 want 'lookup of a file with a column match_id, and other delimiters' lookup taken.csv
cat >want <<JSON
{"record":{"id":"9","email":["a@x","c@x"],"n.k":"1"},"match":{"match_id":"$a_id","rule":"same email","confidence":1,"source":"a","id":"1","size":3}}
{"record":{"id":"10","email":"d@x"},"match":{"match_id":"$("$KINDRED" lookup email=d@x --json | sed 's/.*"match_id":"\([0-9a-f]*\)".*/\1/')","rule":"same email","confidence":1,"source":"b","id":"","size":1}}
JSON
sed -i 's/"id":"",/"id":"10",/' want
expect 0 want 'lookup of JSON Lines' lookup q.jsonl --quiet
expect 3 - 'lookup --strict' lookup q.jsonl --strict
expect 1 - 'lookup of JSON Lines into CSV' lookup q.jsonl -o o.csv
expect 2 - 'lookup of nothing' lookup
expect 2 - 'lookup of files and fields' lookup p.csv email=x

# ---- group, history, changes, links, explain, delete ----
cat >want <<TEXT
match_id      $a_id
state         live
size          3
born          batch 1

members
  a/1                                 same email, confidence 1
  a/2                                 same email, confidence 1
  b/9                                 same email, confidence 1

golden record
  name                  Ann                               a/1; not Anne of b/2
TEXT
expect 0 want 'group by a record' group a 1 --golden
expect 0 want 'group by its MatchId' group "$a_id" --golden
expect 1 - 'group of a record that is not there' group b 1
expect 2 - 'group of nothing' group
cat >want <<'TEXT'
match_id      11
state         alias
survivor      00ff
born          batch 1, founded by a/1

events
           1  batch 1         merged    00ff from 11
TEXT
expect 0 want 'history' history 11
"$KINDRED" changes >all.changes || fail 'changes'
[ "$(wc -l <all.changes)" -ge 5 ] || fail 'changes: too few'
tail -n +3 all.changes | head -n 2 >want
expect 0 want 'changes --after --limit' changes --after 2 --limit 2
expect 2 - 'changes --after of no number' changes --after x
echo 'must    a/1  b/2  by ann: a phone call' >want
expect 0 want 'link must' link must a 1 b 2 --who ann --why 'a phone call'
echo 'never   a/1  b/3  by me' >>want
USER=me expect 0 - 'link never' link never a 1 b 3
expect 0 want 'links, over pages' links
expect 0 - 'link revoke' link revoke a 1 b 2
expect 1 - 'link revoke of none' link revoke a 1 b 2
expect 2 - 'link of another word' link perhaps a 1 b 2
expect 0 - 'explain' explain a/1 b/9
says explain 'They match: same email decides'
expect 0 - 'explain --json' explain a/1 b/9 --json --cluster "$KINDRED_CLUSTER"
says 'explain --json' '"verdict":"match"'
expect 2 - 'explain of no record' explain a1 b/9
printf '1: deleted, %s\n77: unknown\n' "$a_id" >want
expect 0 want 'delete' delete a 1 77
expect 1 - 'delete of an unknown source' delete zz 1

# ---- follow: what comes later is told, and the command lives over a restart ----
stop_fake
start_fake followed.state
"$KINDRED" changes --follow --after 0 >followed.out 2>followed.err &
follower=$!
"$KINDRED" put p.csv --quiet --errors /dev/null || fail 'put, followed'
for ((i = 0; i < 200; i++)); do
    [ "$(wc -l <followed.out)" -ge 5 ] && break
    sleep 0.05
done
stop_fake
start_fake followed.state
printf 'id,email\n50,new@x\n' >new.csv
"$KINDRED" put new.csv --quiet || fail 'put after a restart'
for ((i = 0; i < 400; i++)); do
    grep -q '"id":"50"' followed.out && break
    sleep 0.05
done
grep -q '"id":"50"' followed.out || fail 'changes --follow does not live over a restart'
[ "$(grep -o '"seq":[0-9]*' followed.out | sort | uniq -d | wc -l)" = 0 ] || fail 'a change was told twice'
kill -TERM "$follower"
wait "$follower" 2>/dev/null
stop_fake

# ---- much, refused, lost and killed: counts add up, the last line of an id counts, order is kept ----
# an id comes again in the request after next; each of its lines has another e-mail address
awk 'BEGIN { print "id,name,email"
             for (i = 0; i < 10000; i++) printf "%d,n%d,e%dv%d@x\n", i % 1500, i, i % 1500, i / 1500 }' >much.csv
start_fake much.state 7 9
"$KINDRED" put much.csv --wait --errors much.err >much.out 2>much.log &
putter=$!
for delay in 0.3 0.5 0.4; do
    sleep "$delay"
    stop_fake
    start_fake much.state 7 9
done
wait "$putter" || fail "put over restarts: $(cat much.log)"
awk '{ sum = 0; for (i = 3; i <= NF; i += 2) sum += $i
       if ($1 != 10000 || sum != 10000) { print "counts: " $0; exit 1 } }' much.out || fail 'counts do not add up'
[ "$(wc -l <much.err)" = 1 ] || fail 'put over restarts: records were rejected'
stop_fake
start_fake much.state 5 7
head -n 4501 much.csv >part.csv
awk -F, 'NR == 1 { print; next } { last[$1] = $0 } END { for (i = 0; i < 1500; i++) print last[i] }' much.csv >last.csv
expect 0 - 'lookup of much' lookup part.csv -o part.out
cut -d, -f 1-3 part.out | cmp - part.csv || fail 'lookup: records are not in order'
# every record is where its last line put it
stop_fake
start_fake much.state 4
"$KINDRED" lookup last.csv --quiet >last.out || fail 'lookup of the last lines'
awk -F, 'NR > 1 && $8 != $1 { n++ } END { exit n > 0 }' last.out ||
    fail "a later line did not win: $(awk -F, 'NR > 1 && $8 != $1' last.out | head -n 3)"
stop_fake

# ---- nobody there, interrupted ----
expect 1 - 'no coordinator' lookup email=a --timeout 1
says 'no coordinator' 'no coordinator answers (waited for 1 s)'
start_fake - 0 1 # all is lost: it never ends by itself
"$KINDRED" put much.csv >cut.out 2>cut.err &
putter=$!
sleep 0.5
kill -INT "$putter"
wait "$putter" && fail 'put: an interrupted one says that it is done'
grep -q 'stopped; of what was answered, 0 read' cut.err || fail "put, interrupted: $(cat cut.err)"
stop_fake
finish live_commands

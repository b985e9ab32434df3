#!/usr/bin/env bash
# Live operation as its users have it: `kindred serve` with real records, and the commands and HTTP requests
# that ask it. What is said stays true over kill -9, and is what a batch run over the same records says.
# shellcheck disable=SC2015 # `check && check || fail`: fail may as well follow the second
# shellcheck source=tests/cluster/lib_run.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
for program in python3 curl; do
    command -v $program >/dev/null || { echo "no $program: skipped"; exit 77; }
done

cd "$scratch" || exit 1
unset KINDRED_SECRET_FILE
export KINDRED_CLUSTER=unix://$scratch/D/rpc.sock
live=(python3 "$here/live_client.py")
server=

# DIR is where the workflow file is; `http` and `base` are where HTTP listens then.
serve() { # WORKFLOW [OPTIONS]
    local i
    : >ready
    "$KINDRED" serve "$@" --http 127.0.0.1:0 >ready 2>>serve.log &
    server=$!
    for ((i = 0; i < 600; i++)); do
        grep -q '^listening ' ready && break
        kill -0 $server 2>/dev/null || break
        sleep 0.05
    done
    grep -q "^listening rpc=unix://$scratch/[A-Z]*/rpc.sock http=127.0.0.1:[0-9]*$" ready ||
        { fail "serve $*: not ready: $(cat ready; tail -n 3 serve.log)"; finish live; }
    http=$(sed 's/.* http=//' ready)
    base=http://$http
}
stop() { # SIGNAL
    local status=0
    kill "-$1" $server
    wait $server 2>/dev/null || status=$?
    [ "$1" = KILL ] || [ $status = 0 ] || fail "serve ended with $status: $(tail -n 3 serve.log)"
}
expect() { # STATUS LABEL ARGUMENTS...: got.out, got.err
    local status=$1 label=$2 got=0
    shift 2
    timeout 60 "$KINDRED" "$@" >got.out 2>got.err || got=$?
    ((got == status)) || fail "$label: exit status $got, not $status: $(cat got.err)"
}
says() { # LABEL PATTERN: a line of the output, or of the errors
    grep -q -- "$2" got.out got.err || fail "$1: '$2' is not said: $(cat got.out got.err)"
}
member() { # FILE KEY [PATTERN]: the value of a key of JSON, the first
    grep -o "\"$2\":\"[^\"]*\"" "$1" | head -n 1 | cut -d '"' -f 4
}
id_of() { # SOURCE ID
    "$KINDRED" group "$1" "$2" --json 2>/dev/null | grep -o '"match_id":"[^"]*"' | head -n 1 | cut -d '"' -f 4
}
feed() { # LABEL EVERY: the feed leads to what is served: feed, members.csv
    "$KINDRED" changes >feed || fail "$1: changes"
    "${live[@]}" replay feed members.csv >replayed || fail "$1: the feed"
    "${live[@]}" members "$http" people members.csv "$2" || fail "$1: not what the feed leads to"
}

# ---- served ----

generate data 3000 5 --sources 2
generate more 1200 6 --sources 2
cat >w.yaml <<'Y'
kindred: 1
workflow: people
fields:
  first_name: name
  last_name: name
  dob: date
  email: email
  phone: {type: phone, country: GB}
  postcode: postcode
sources:
  one: {path: data/people_1.csv, id: id}
  two: {path: data/people_2.csv, id: id, updated: updated}
rules:
  - {name: email, when: Exact(email)}
  - {name: phone, when: "Exact(phone) AND JaroWinkler(last_name, 0.85)"}
  - {name: names, when: "JaroWinkler(last_name, 0.92) AND JaroWinkler(first_name, 0.9) AND Exact(dob)"}
  - {name: place, when: "JaroWinkler(last_name, 0.9) AND Levenshtein(first_name, 1) AND Exact(postcode)"}
never:
  - {name: all differs, when: "Differs(dob) AND Differs(postcode) AND Differs(phone)"}
block_on:
  - [email]
  - [phone]
  - [last_name, dob]
  - [soundex(last_name), postcode]
golden: {default: most_complete}
limits: {max_block: 5000}
Y
serve w.yaml --data D -o out
check_accounts out 'the first match'
cut -d, -f 1-3 out/matches.csv >first.csv
feed 'as it began' 3
"${live[@]}" same first.csv members.csv || fail 'matches.csv has other MatchIds than are served'
for path in healthz readyz; do
    curl -sf "$base/$path" >got.out || fail "$path: $(cat got.out)"
done
expect 1 'a job of a client that names files' match w.yaml -o "$scratch/stolen" --at-coordinator
says 'a job of a client that names files' 'reads and writes no files for clients'
[ ! -e stolen ] || fail 'a client had files written'
curl -sf "$base/metrics" | grep -q '^kindred_live_records{workflow="people"} 3000$' || fail 'metrics'

# ---- put ----

cat >a.csv <<'CSV'
id,first_name,last_name,dob,email,phone,street,city,postcode,updated,DELETE
A1,Quentin,Zabriskie,1950-01-01,qz@live.example,,,Ely,,,
A2,Quentin,Zabriskie,1950-01-01,,07700 900123,,,,,
B1,Xaviera,Oyelaran,,xo@old.example,07700 900456,,,,,
short,row
D1,No,Date,nonsense,,,,,,,
Z9,,,,,,,,,,true
"",Without,Id,,,,,,,,
B1,Xaviera,Oyelaran-Smith,,xo@live.example,07700 900456,,,,,
CSV
expect 0 put put a.csv --source one --wait --errors errors.csv
[ "$(cat got.out)" = '8 read: 4 created, 1 unknown, 1 superseded, 2 rejected' ] || fail "put: $(cat got.out)"
[ "$(csv_count errors.csv)" = 2 ] && grep -q '^one,a.csv,5,.*"short,row"$' errors.csv &&
    grep -q '^one,a.csv,8,.*id' errors.csv || fail "put: $(cat errors.csv)"
expect 0 'put again' put a.csv --source one --wait --errors errors.csv
[ "$(cat got.out)" = '8 read: 4 updated, 1 unknown, 1 superseded, 2 rejected' ] || fail "put again: $(cat got.out)"
printf 'id,first_name,last_name\nA9,Nobody,Else\n' >b.csv
expect 3 'put --strict' put a.csv b.csv --source one --strict
printf '{"id":"A9","DELETE":true}\n' >b.jsonl
expect 0 'put of a DELETE' put b.jsonl --source one --wait
says 'put of a DELETE' '^1 read: 1 deleted$'
printf 'id,first_name,updated\nU1,New,2024-05-01\n' >new.csv
printf 'id,first_name,updated\nU1,Old,2023-05-01\n' >old.csv
expect 0 'put with a time' put new.csv --source two --wait
expect 0 'put of an older record' put old.csv --source two --wait
says 'put of an older record' '^1 read: 1 superseded$'
expect 1 'put to no source' put b.csv --source three
expect 1 'put without its source' put b.csv

# ---- lookup ----

a_id=$(id_of one A1) b_id=$(id_of one B1)
[ -n "$a_id" ] && [ "$a_id" = "$(id_of one A2)" ] || fail 'A1 and A2 are not one'
[ -n "$b_id" ] && [ "$a_id" != "$b_id" ] || fail 'A1 and B1 are one'
expect 0 lookup lookup email=QZ@live.example
says lookup "^match_id *$a_id$"
says lookup '^record *one/A1, group of 2$'
expect 0 'lookup of nothing known' lookup email=nobody@live.example
says 'lookup of nothing known' '^no match$'
expect 0 'lookup of an earlier version' lookup email=xo@old.example
says 'lookup of an earlier version' '^no match$'
expect 0 'lookup that would merge' lookup email=qz@live.example last_name=Oyelaran-Smith phone=07700900456
says 'lookup that would merge' '^would merge .*'"$b_id"
expect 0 'lookup --explain' lookup email=qz@live.example --explain
says 'lookup --explain' 'Exact(email) *true'
printf 'email,last_name,phone\nqz@live.example,,\nnobody@live.example,,\n,Oyelaran-Smith,+447700900456\n' >ask.csv
expect 0 'lookup of a file' lookup ask.csv -o found.csv
says 'lookup of a file' '3 read: 2 matched, 1 without a match, 0 rejected'
[ "$(cut -d, -f 4,5,7,8 found.csv | tr '\n' ' ')" = \
    "match_id,match_rule,matched_source,matched_id $a_id,email,one,A1 ,,, $b_id,phone,one,B1 " ] ||
    fail "lookup of a file: $(cat found.csv)"
# the same over HTTP
for record in '{"email":"qz@live.example"}' '{"email":"nobody@live.example"}' '{"last_name":"Oyelaran-Smith","phone":"07700900456"}'; do
    printf '%s\n' "$record" >q.jsonl
    expect 0 'lookup --json' lookup q.jsonl --json
    curl -sf "$base/v1/-/lookup" -d "$record" | sed '/^$/d' | cmp -s - got.out ||
        fail "over HTTP $record is answered otherwise than $(cat got.out)"
done
# every record that was loaded is found by its own values
expect 0 'lookup of what was loaded' lookup data/people_2.csv -o found.csv
awk -F, 'NR == FNR { if ($1 == "two") id[$2] = $3; next }
         FNR == 1 { for (i = 1; i <= NF; i++) if ($i == "match_id") column = i; next }
         !/"/ { all++; n += $column == id[$1] } END { exit !(all > 1000 && n > 0.99 * all) }' first.csv found.csv ||
    fail 'lookup does not find the groups of records that are there'

"${live[@]}" flood "$http" data/people_1.csv || fail 'many lookups at once'

# ---- groups, merge, alias, split ----

expect 0 'group --golden' group one A2 --golden
says 'group --golden' '^  phone .*07700 900123 *one/A2'
says 'group --golden' '^  city .*Ely *one/A1'
expect 1 'group of no record' group one nobody
expect 1 'group of no id' group 00000000000000000000000000000000
printf 'id,first_name,last_name,email,phone\nM1,Quent,Oyelaran-Smith,qz@live.example,07700 900456\n' >bridge.csv
expect 0 'a bridge' put bridge.csv --source one --wait
merged=$(id_of one M1)
[ "$merged" = "$a_id" ] && [ "$(id_of one B1)" = "$a_id" ] || fail "the oldest id with the smallest founder does not survive: $merged"
expect 0 'group by an alias' group "$b_id" --json
grep -q "^{\"match_id\":\"$a_id\",\"asked\":\"$b_id\",\"state\":\"live\",\"size\":4," got.out || fail "alias: $(cat got.out)"
expect 0 'history of an alias' history "$b_id"
says 'history of an alias' '^state *alias$'
says 'history of an alias' "^survivor *$a_id$"
says 'history of an alias' 'founded by one/B1'
expect 0 'delete of the bridge' delete one M1 M2
says 'delete of the bridge' "^M1: deleted, $a_id$"
says 'delete of the bridge' '^  no longer with it  one/B1$'
says 'delete of the bridge' '^M2: unknown$'
split=$(id_of one B1)
[ "$split" != "$a_id" ] && [ "$split" != "$b_id" ] && [ "$(id_of one A2)" = "$a_id" ] || fail "after the split B1 has $split"
expect 0 'history of a split' history "$split" --json
[ "$(member got.out split_from)" = "$a_id" ] || fail "split_from: $(cat got.out)"
sed 's/^M1,/A2,/' bridge.csv >move.csv # A2 goes to neither by its names, but to both by e-mail and phone
expect 0 'an update that merges' put move.csv --source one --wait
[ "$(id_of one B1)" = "$(id_of one A1)" ] || fail 'an update does not merge'
sed 's/qz@live.example/a2@live.example/; s/^M1,/A2,/' bridge.csv >move.csv
expect 0 'an update that splits' put move.csv --source one --wait
[ "$(id_of one B1)" != "$(id_of one A1)" ] && [ "$(id_of one B1)" = "$(id_of one A2)" ] || fail 'an update does not split'
expect 0 explain explain one/A2 one/B1
says explain 'rule "phone" is true'

# ---- links ----

expect 0 'no links' links
[ ! -s got.out ] || fail "links: $(cat got.out)"
expect 0 'link must' link must one A1 one D1 --who ann --why 'a call'
says 'link must' '^.* must *one/A1  one/D1  by ann: a call$'
[ "$(id_of one A1)" = "$(id_of one D1)" ] || fail 'a link does not join'
expect 0 'link never' link never one A2 one B1
[ "$(id_of one A2)" != "$(id_of one B1)" ] || fail 'a link does not keep apart'
expect 0 'link to what is not there yet' link must one A1 one later
expect 0 links links
[ "$(wc -l <got.out)" = 3 ] || fail "links: $(cat got.out)"
stop KILL
serve w.yaml --data D
expect 0 'links after a restart' links
[ "$(wc -l <got.out)" = 3 ] || fail "links after a restart: $(cat got.out)"
printf 'id,first_name\nlater,Late\n' >late.csv
expect 0 'put of the other end' put late.csv --source one --wait
[ "$(id_of one A1)" = "$(id_of one later)" ] || fail 'a link does not join what comes later'
for pair in 'A1 one D1' 'A2 one B1' 'later one A1'; do
    # shellcheck disable=SC2086
    expect 0 'link revoke' link revoke one $pair --who bob
    says 'link revoke' 'revoke *one/.*  one/.*  by bob$'
done
expect 1 'link revoke of none' link revoke one A1 one D1
[ "$(id_of one A1)" != "$(id_of one D1)" ] && [ "$(id_of one A2)" = "$(id_of one B1)" ] || fail 'revoked links hold on'
feed 'after links' 11

# ---- much, killed in the middle ----

for n in 1 2; do # other persons under a third of the ids, then removals, and some new records
    awk -F, -v n=$n 'BEGIN { OFS = "," }
        NR == FNR { if (FNR > 1 && FNR % 3 == n) id[++ids] = $1; next }
        FNR == 1 { print; next }
        { if (ids) $1 = id[ids--]; $NF = "2030-01-01T00:00:00Z"; print }' "data/people_$n.csv" "more/people_$n.csv" >change$n.csv
    awk -F, 'FNR == 1 { print "id,DELETE" } FNR % 17 == 5 { print $1 ",1" }' "data/people_$n.csv" >remove$n.csv
done
"$KINDRED" put change1.csv --source one --wait >put.out 2>put.err &
putter=$!
"$KINDRED" put change2.csv --source two >put2.out 2>put2.err &
putter2=$!
sleep 0.2
stop KILL
serve w.yaml --data D
wait $putter || fail "put over a restart: $(cat put.err)"
wait $putter2 || fail "put over a restart: $(cat put2.err)"
for n in 1 2; do
    expect 0 'removals' put remove$n.csv --source "$([ $n = 1 ] && echo one || echo two)" --wait
    says 'removals' "^$(csv_count remove$n.csv) read: $(csv_count remove$n.csv) deleted$"
done
feed 'after many changes' 1
cp feed feed.before
cp members.csv members.before

# ---- restarted: the same, and soon ----

stop KILL
: >serve.log
began=$SECONDS
serve w.yaml --data D
((SECONDS - began < 10)) || fail "serving again took $((SECONDS - began)) s"
grep -q '"event":"phase"' serve.log && fail 'a restart runs the job again'
feed 'after kill -9' 5
same_file feed.before feed 'the feed after kill -9'
stop TERM
serve --data D # without the workflow it serves what it has
feed 'without the workflow file' 29
same_file feed.before feed 'the feed without the workflow file'
stop TERM

# ---- what is served is what a batch run says of the same records ----

mkdir final
python3 - <<'PY' || fail 'final records'
import csv
for n, source in (1, "one"), (2, "two"):
    columns, rows = None, {}
    changes = ["a", "bridge", "move", "late"] if n == 1 else ["new"]
    for name in ["data/people_%d" % n] + changes + ["change%d" % n, "remove%d" % n]:
        with open(name + ".csv", newline="") as file:
            for row in csv.DictReader(file):
                columns = columns or list(row)
                if name == "a" and (not row["id"] or row["id"] == "short"):
                    continue
                if row.pop("DELETE", None) or row["id"] == "M1":
                    rows.pop(row["id"], None)
                else:
                    rows[row["id"]] = row
    with open("final/people_%d.csv" % n, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows.values())
PY
sed 's|path: data/|path: final/|' w.yaml >final.yaml
env -u KINDRED_CLUSTER "$KINDRED" match final.yaml -o batch --quiet || fail 'the batch run'
"${live[@]}" partition batch/matches.csv members.before || fail 'not the groups of a batch run'

# ---- --reload: groups that are the same keep their ids, and nothing is told of them ----

serve final.yaml --data D --reload -o reloaded
feed 'after --reload' 5
same_file feed.before feed 'the feed after --reload of the same records'
cut -d, -f 1-3 reloaded/matches.csv >reloaded.csv
"${live[@]}" same reloaded.csv members.csv || fail 'after --reload matches.csv has other MatchIds than are served'
stop TERM
serve w.yaml --data D --reload -o reloaded # the records of the beginning
feed 'after --reload of the first records' 5
head -n "$(wc -l <feed.before)" feed | cmp -s - feed.before || fail '--reload changes what was told'
cut -d, -f 1-3 reloaded/matches.csv >reloaded.csv
"${live[@]}" same reloaded.csv members.csv || fail 'after the second --reload matches.csv has other MatchIds than are served'
"${live[@]}" partition first.csv members.csv || fail '--reload gives other groups than the first match'
expect 1 'a record that --reload does not have' group one A1
expect 0 'an id whose records are no more' group "$a_id" --json
[ "$(member got.out state)" = gone ] || fail "gone: $(cat got.out)"
# who was never touched has the id of the first day
awk -F, 'NR == FNR { first[$1 "," $2] = $3; next } first[$1 "," $2] == $3 { n++ } END { exit !(n > FNR / 3) }' \
    first.csv members.csv || fail '--reload gives new ids to what never changed'
stop TERM

# ---- stores of other versions ----

set_format() { # STORE FROM TO: the number that a store begins with
    python3 - "$@" <<'PY' || fail "the format of $1 cannot be set"
import struct, sys
path, old, new = sys.argv[1] + "/data.mdb", *map(int, sys.argv[2:])
data = open(path, "rb").read()
at = b"format" + struct.pack("<Q", old)
if at not in data:
    sys.exit(1)
open(path, "wb").write(data.replace(at, b"format" + struct.pack("<Q", new)))
PY
}
for store in coordinator worker-1 worker-2; do
    set_format D/$store 3 2
done
serve --data D # taken over
feed 'stores of the format before' 29
stop TERM
for store in worker-2 coordinator; do
    for number in 1 99; do
        set_format D/$store 3 $number
        expect 1 "a store of format $number" serve --data D
        says "a store of format $number" "D/$store: format $number, .*this program reads .*3"
        set_format D/$store $number 3
    done
done
serve --data D
feed 'stores that were refused' 29
stop TERM

# ---- by a model ----


export KINDRED_CLUSTER=unix://$scratch/M/rpc.sock
cp "$here/../../examples/splink_fake1000/"{records.csv,splink_fake1000.model.yaml} .
serve splink_fake1000.model.yaml --data M
workflow=splink_fake1000_model
"$KINDRED" changes >feed && "${live[@]}" replay feed members.csv >/dev/null &&
    "${live[@]}" members "$http" $workflow members.csv 3 || fail 'a model: the feed'
cut -d, -f 1-3 M/output/matches.csv >first.csv
"${live[@]}" same first.csv members.csv || fail 'a model: matches.csv has other MatchIds than are served'
{ head -n 1 records.csv; sed -n 17p records.csv | sed 's/^[^,]*/copy/'; } >copy.csv
expect 0 'a model: put' put copy.csv --wait
original=$(sed -n 17p records.csv | cut -d, -f 1)
[ "$(id_of people copy)" = "$(id_of people "$original")" ] || fail 'a model: a copy is not of one group with the original'
expect 0 'a model: lookup' lookup copy.csv --json
grep -q "^{\"match_id\":\"$(id_of people copy)\",\"rule\":\"model\",\"confidence\":[01][.0-9]*,\"weight\":[0-9.]*," got.out ||
    fail "a model: $(cat got.out)"
expect 0 'a model: explain' lookup copy.csv --explain --json
grep -q '"explanation":{' got.out || fail 'a model: no explanation'
stop TERM

finish live

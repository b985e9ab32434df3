#!/usr/bin/env bash
# The command line: help, versions, statuses, and what each option does. What is wrong with a command line is
# in test_bad_input.sh.
. "$(dirname "$0")/lib_run.sh"
cd "$scratch" || exit 1
mkdir tmp
export TMPDIR=$scratch/tmp
commands='match plan train evaluate explain report suggest jobs attach cancel status'
commands+=' serve lookup put delete inbox group history changes link links'

# run STATUS ARGS...: in ./stdout and ./stderr
run() {
    local expected=$1 code
    shift
    "$KINDRED" "$@" >stdout 2>stderr </dev/null
    code=$?
    [ "$code" = "$expected" ] || fail "kindred $*: status $code, not $expected: $(head -n 3 stderr)"
}
silent() { [ ! -s stdout ] && [ ! -s stderr ] || fail "$1: not silent: $(head -n 3 stdout stderr)"; }
says() { grep -qE -- "$2" "$1" || fail "$3: nothing like '$2' on $1: $(head -n 5 "$1")"; }
# A number of a table on standard output: the first whose line begins so.
number() { awk -v key="$1" 'index($0, "  " key) == 1 { sub(/^  /, ""); n = substr($0, length(key) + 1); sub(/^ +/, "", n); sub(/ .*/, "", n); gsub(/,/, "", n); print n; exit }' stdout; }

# ---- help ----

run 0 --help
mv stdout help
for way in help -h; do
    run 0 $way
    same_file help stdout "kindred $way"
done
[ ! -s stderr ] || fail '--help writes to standard error'
for command in $commands; do
    grep -q "^  $command " help || fail "--help does not name $command"
    run 0 "$command" --help
    mv stdout "help.$command"
    grep -q "^usage: kindred $command " "help.$command" || fail "$command --help does not say its usage"
    run 0 "$command" -h
    same_file "help.$command" stdout "kindred $command -h"
    run 0 help "$command"
    same_file "help.$command" stdout "kindred help $command"
    awk 'length($0) > 100 { exit 1 }' "help.$command" || fail "$command --help has lines over 100 columns"
done
for command in $(awk '/^  [a-z]/ { print $1 }' help | sort -u); do
    [[ " $commands help " == *" $command "* ]] || fail "this test does not know the command $command"
done

# Options abbreviate, and of one abbreviated too much, with too few or too many values, the program itself
# names the candidates: so all options are found, and each must be in the help.
for command in ${commands/ serve / }; do # which would begin to serve
    : >known
    for letter in {a..z}; do
        for try in "--$letter" "--$letter=x" "--no$letter" "--no-$letter"; do
            "$KINDRED" "$command" "$try" 2>&1 </dev/null | grep -oE "'--[a-z-]+'|^kindred: --[a-z-]+:" |
                grep -oE -- '--[a-z-]+' | grep -vxF -- "$try" >>known
        done
    done
    sort -u known | grep -vxE -- '--[a-z]' >options
    [ "$(wc -l <options)" -ge 2 ] || fail "$command: its options cannot be found"
    while read -r option; do
        grep -qE -- "^ +(-[a-z], )?$option( |\$)" "help.$command" || fail "$command --help does not list $option"
    done <options
    # and what the help lists is taken
    for option in $(grep -oE -- '^ +(-[a-z], )?--[a-z-]+' "help.$command" | grep -oE -- '--[a-z-]+'); do
        if "$KINDRED" "$command" "$option" 2>&1 </dev/null | grep -qE 'unrecognized|ambiguous'; then
            fail "$command does not take $option, which its help lists"
        fi
    done
done
grep -qx -- '--match-id-key-file' <("$KINDRED" match --match-id 2>&1 | grep -oE -- '--[a-z-]+') ||
    fail 'options do not abbreviate'

run 0 --version
grep -qxE 'kindred [0-9]+\.[0-9]+\.[0-9]+' stdout || fail "--version: $(<stdout)"

# ---- the job ----

generate data 6000 3 --sources 2
cat >w.yaml <<'Y'
kindred: 1
workflow: cli
fields: {first_name: name, last_name: name, dob: date, email: email, postcode: postcode}
sources:
  people_1: {path: data/people_1.csv, id: id, updated: updated}
  people_2: {path: data/people_2.csv, id: id, updated: updated}
rules:
  - {name: same email, when: Exact(email)}
  - {name: alike, when: JaroWinkler(last_name, 0.9) AND JaroWinkler(first_name, 0.85) AND Exact(dob)}
block_on:
  - [email]
  - [soundex(last_name)]
  - [year(dob)]
limits: {max_block: 60}
Y

run 0 match --check w.yaml
grep -qx 'w.yaml: fine: 2 sources, 5 fields, 2 rules, 4 blocking keys' stdout || fail "--check: $(<stdout)"
awk '{ sub(/data\//, "nowhere/"); print }' w.yaml >sourceless.yaml
run 0 match --check sourceless.yaml
[ ! -e out ] && [ ! -e out.state ] || fail '--check made something'

run 0 match w.yaml -o out
[ ! -s stderr ] || fail "match: on standard error, which is no terminal: $(head -n 3 stderr)"
check_accounts out match
[ "$(ls out | tr '\n' ' ')" = 'errors.csv groups.csv matches.csv report.html report.json ' ] || fail "match made $(ls out)"
[ ! -e out.state ] || fail 'match left its state'
[ -z "$(ls tmp)" ] || fail 'match left something in TMPDIR'
says stdout '^cli: [0-9.]+ s' 'the summary'
[ "$(number 'MatchGroups ')" = "$(awk -F, 'NR > 1 && $2 > 1' out/groups.csv | wc -l)" ] ||
    fail 'the summary counts other MatchGroups than groups.csv has'
[ "$(number 'records in them')" = "$(report_number out/report.json grouped)" ] || fail 'the summary counts other records'
[ "$(number 'pairs compared')" = "$(report_number out/report.json pairs_compared)" ] || fail 'the summary counts other pairs'
head -n 1 out/matches.csv | grep -qx 'source,id,match_id,match_rule,confidence,group_size' || fail 'the header of matches.csv'
head -n 1 out/errors.csv | grep -qx 'source,file,line,id,field,reason,raw' || fail 'the header of errors.csv'
head -n 1 out/groups.csv | grep -q '^match_id,size,first_name,last_name,dob,email,postcode' || fail 'the header of groups.csv'
awk -F, 'NR > 1 && $3 !~ /^[0-9a-f]+$/ || NR > 1 && length($3) != 32 { exit 1 }' out/matches.csv || fail 'MatchIds are not 32 hex digits'
# group_size is right, and a single record has no rule
awk -F, 'NR > 1 { n[$3]++; size[$3] = $6; if (($6 == 1) != ($4 == "")) bad = 1 }
         END { for (g in n) if (n[g] != size[g]) bad = 1; exit bad }' out/matches.csv || fail 'group_size or match_rule is wrong'
# in input order
cmp -s <(awk -F, 'NR > 1 { print $1 "," $2 }' out/matches.csv) \
    <(for s in people_1 people_2; do awk -F, -v s=$s 'NR > 1 { print s "," $1 }' data/$s.csv; done) ||
    fail 'matches.csv is not in input order'
cp -r out first

# An earlier result is replaced as a whole; other names of one place; another working directory.
run 0 match w.yaml -o out --pairs
[ -e out/pairs.csv ] || fail '--pairs made no pairs.csv'
[ "$(csv_count out/pairs.csv)" -ge "$(awk -F, 'NR > 1 && $2 > 1' out/groups.csv | wc -l)" ] || fail 'pairs.csv is too short'
head -n 1 out/pairs.csv | grep -qx 'source_a,id_a,source_b,id_b,weight,probability,match_rule' || fail 'the header of pairs.csv'
run 0 match w.yaml -o out/
[ ! -e out/pairs.csv ] || fail 'the earlier pairs.csv is still there'
mkdir empty below
run 0 match -q -o empty -- w.yaml
same_file first/matches.csv empty/matches.csv 'an empty directory as output'
(cd below && "$KINDRED" match ../w.yaml -o out -q) || fail 'match in another directory failed'
same_file first/matches.csv below/out/matches.csv 'sources relative to the workflow file'
[ "$(ls below)" = out ] || fail "match in another directory left $(ls below)"

run 0 match w.yaml -o out -q
silent 'match -q'
run 0 match w.yaml -o out --quiet --fsync --workers 64 --threads 256
silent 'match --quiet'
for file in matches.csv groups.csv errors.csv; do
    same_file first/$file out/$file "--fsync --workers 64 --threads 256: $file"
done

# ---- the log ----

run 0 match w.yaml -o out --log json
grep -vE '^\{"time":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z","level":"[DIWE]","node":[0-9]+,"event":"[a-z][a-z_.]*","text":"([^"\\]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*"\}$' stderr >other &&
    fail "--log json: lines of another form: $(head -n 2 other)"
phases=$(grep '"event":"phase"' stderr | grep -oE 'phase=[a-z]+' | cut -d= -f2 | tr '\n' ' ')
[[ $phases == 'load dedupe settle match group '*'write publish done ' ]] || fail "--log json: phases $phases"
[ "$(grep -c '"event":"worker_joined"' stderr)" = 1 ] || fail '--log json: not one worker joined'
says stdout '^cli: ' 'the summary beside the log'
run 0 match w.yaml -o out --log=json -q
[ ! -s stdout ] && [ -s stderr ] || fail '--log json -q: only the log'
run 1 match sourceless.yaml -o none --log json
grep -q '"level":"E",.*"event":"job_failed"' stderr || fail '--log json: no event tells the failure'
tail -n 1 stderr | grep -q '^kindred: ' || fail '--log json: the message is missing'

# ---- the state ----

run 0 match w.yaml -o out --keep-state -q
[ -d out.state/coordinator ] && [ -d out.state/worker-1 ] || fail '--keep-state kept no state'
rm -rf out
run 0 match w.yaml -o out --log json
grep -q '"event":"job_resumed"' stderr || fail 'a state that was kept is not used'
[ ! -e out.state ] || fail 'the state is kept, though nobody asked'
same_file first/matches.csv out/matches.csv 'from a state that was kept'
run 0 match w.yaml -o out --state there --keep-state -q
[ -d there/coordinator ] && [ ! -e out.state ] || fail '--state: the state is elsewhere'
run 0 match w.yaml -o out --state there -q
[ ! -e there ] || fail '--state: the state was not removed'

limited() { awk -v limit="$1" '{ sub(/max_block: 60/, "max_block: 60, memory: " limit); print }' w.yaml; }
limited 0 >large.yaml
run 0 match large.yaml -o out -q
for file in matches.csv groups.csv errors.csv; do
    same_file first/$file out/$file "limits.memory: 0: $file"
done
[ ! -e out.state ] || fail 'limits.memory: 0: the state was not removed'

# ---- keys of MatchIds ----

printf '0123456789abcdef0123456789ABCDEF\r\n' >key
run 0 match w.yaml -o keyed --match-id-key-file key -q
cmp -s first/matches.csv keyed/matches.csv && fail '--match-id-key-file changes no MatchId'
cmp -s <(cut -d, -f1,2,4- first/matches.csv) <(cut -d, -f1,2,4- keyed/matches.csv) || fail '--match-id-key-file changes more than MatchIds'
awk -F, 'NR == FNR { a[FNR] = $3; next }
         (a[FNR] in to && to[a[FNR]] != $3) || ($3 in from && from[$3] != a[FNR]) { exit 1 }
         { to[a[FNR]] = $3; from[$3] = a[FNR] }' first/matches.csv keyed/matches.csv || fail '--match-id-key-file changes the groups'
"$KINDRED" match w.yaml -o piped --match-id-key-file <(echo 0123456789abcdef0123456789abcdef) -q || fail 'a key from a pipe'
same_file keyed/matches.csv piped/matches.csv 'a key from a pipe'

# ---- --strict ----

run 0 match w.yaml -o out --strict -q
{ cat data/people_1.csv; echo short,row; } >data/bad.csv
awk '{ sub(/data\/people_1/, "data/bad"); print }' w.yaml >bad.yaml
run 0 match bad.yaml -o out -q
run 3 match bad.yaml -o out --strict -q
check_accounts out --strict
[ "$(csv_count out/errors.csv)" = 1 ] || fail '--strict: not one row in errors.csv'

# ---- plan ----

mkdir plan && cp w.yaml plan/ && cp -r data plan/ && cd plan || exit 1
before=$(ls)
"$KINDRED" plan w.yaml >../stdout 2>../stderr || fail 'plan failed'
[ "$(ls)" = "$before" ] || fail "plan left something: $(ls)"
cd .. || exit 1
[ -z "$(ls tmp)" ] || fail 'plan left something in TMPDIR'
says stdout '^cli: 6,000 records in [0-9.]+ s' plan
for key in email 'soundex(last_name)' 'year(dob)'; do
    [ "$(number "$key ")" -gt 3000 ] || fail "plan: no line for $key"
done
says stdout 'year\(dob\) .* over max_block$' 'plan, of a key with blocks over max_block'
grep 'email ' stdout | grep -q 'over max_block' && fail 'plan: the blocks of email are small'
says stdout '[0-9] records share ' plan
says stdout '[0-9,]+ pairs at most; a match takes about [0-9.]+ s and [0-9.]+ GiB on [0-9]+ threads' plan
# it counts what the match then finds
pairs=$(awk '/"key": "year\(dob\)"/ { on = 1 } on && /"pairs"/ { gsub(/[^0-9]/, ""); print; exit }' first/report.json)
[ "$(awk '$1 == "year(dob)" { gsub(/,/, "", $4); print $4; exit }' stdout)" = "$pairs" ] || fail "plan: other pairs than the match's $pairs"
awk '{ if (!/ records in | a match takes about /) print }' stdout >planned
run 0 plan w.yaml --workers 3 --threads 2 -q
cmp -s planned <(awk '{ if (!/ records in | a match takes about /) print }' stdout) || fail 'plan: another plan with 3 workers'
run 0 plan w.yaml --state planstate
[ ! -e planstate ] || fail 'plan left its state'
run 1 plan sourceless.yaml
run 0 plan large.yaml
cmp -s planned <(awk '{ if (!/ records in | a match takes about /) print }' stdout) || fail 'plan: another plan with limits.memory: 0'
awk '{ sub(/data\//, "nowhere/"); print }' large.yaml >gone.yaml
run 1 plan gone.yaml
[ -z "$(ls tmp)" ] || fail 'plan left something in TMPDIR after a failure'
# over limits.memory it needs a temporary directory, within it none; four times the sources are reckoned
mib=$((($(cat data/people_[12].csv | wc -c) * 4 + 1048575) / 1048576))
limited $mib >w$mib.yaml
TMPDIR=nowhere run 0 plan w$mib.yaml
limited $((mib - 1)) >under.yaml
TMPDIR=nowhere run 1 plan under.yaml
says stderr 'no temporary directory can be made' 'plan over limits.memory'
TMPDIR=nowhere run 1 plan w$mib.yaml --workers 2
run 0 plan w.yaml --log json
grep -q '"event":"phase"' stderr || fail 'plan --log json: no events'

# ---- evaluate ----

run 0 evaluate --truth data/truth.csv first
mv stdout evaluation
for line in pairs across groups; do
    grep -q "^$line" evaluation || fail "evaluate: no line for $line"
done
awk '$1 == "pairs" { exit !($(NF) > 0.8 && $(NF) <= 1 && $(NF - 2) > 0.8) }' evaluation || fail "evaluate: $(grep ^pairs evaluation)"
grep -qE '^records +6000$' evaluation || fail "evaluate: $(head -n 1 evaluation)"
run 0 evaluate first/matches.csv -t data/truth.csv
same_file evaluation stdout 'evaluate of a file'
awk -F, '{ print $1 "," $2 "," (NR == 1 ? "entity" : $3) }' first/matches.csv >own.csv
run 0 evaluate -t own.csv first
awk '$1 == "pairs" || $1 == "B-cubed" || $1 == "groups" { if ($(NF) != "1.0000") exit 1 }' stdout || fail 'a result is not equal to itself'
awk '{ sub(/people_/, "person_"); print }' data/truth.csv >others.csv
run 1 evaluate -t others.csv first
says stderr 'no record is in both' 'evaluate with a truth about other records'
run 0 match w.yaml -o linked --pairs -q
run 0 evaluate -t data/truth.csv linked --worst 3
for line in 'Direct links' 'Entities in several groups'; do
    grep -q "^$line" stdout || fail "evaluate: nothing about $line"
done
[ "$(awk '/^Entities in/ { on = 1 } on && /records .* lost pairs/' stdout | wc -l)" = 3 ] || fail 'evaluate: --worst 3 shows other than 3'
for line in pairs across groups B-cubed; do # other programs look for them by the first word
    [ "$(awk -v line="$line" '$1 == line' stdout | wc -l)" = 1 ] || fail "evaluate: not one line of $line"
done
mv stdout worst
run 0 evaluate -t data/truth.csv linked/matches.csv --worst 3
same_file worst stdout 'evaluate of a file with pairs.csv beside it'
run 0 evaluate -t data/truth.csv first --pairs linked/pairs.csv --worst 3
same_file worst stdout 'evaluate with another pairs.csv'
run 0 evaluate -t data/truth.csv linked --json --points 2
[ "$(grep -c '"weight":[0-9n]' stdout)" -ge 1 ] || fail 'evaluate --json: no curve'
run 0 evaluate -t own.csv linked --json
grep -q '"wrong_groups":{"count":0,"worst":\[\]}' stdout || fail 'evaluate --json: a result has mistakes against itself'
run 2 evaluate -t own.csv linked --points 1
says stderr '--points 1: expected 2 to 1000' 'evaluate --points 1'

finish 'the command line'

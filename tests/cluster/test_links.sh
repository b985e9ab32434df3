#!/usr/bin/env bash
# Links of people: must and never are honoured, unknown records are told, and what cannot be honoured ends the
# job with its lines.
. "$(dirname "$0")/lib_run.sh"
cd "$scratch" || exit 1

cat >crm.csv <<'END'
id,name,email
1,Ann Smith,a@x.com
2,Anne Smith,a@x.com
3,Bob,b@x.com
4,Bobby,c@x.com
END
cat >people.yaml <<'END'
kindred: 1
workflow: links
sources: {crm: {path: crm.csv, id: id}}
fields: {name: name, email: email}
rules: [Exact(email)]
links: {file: [links.csv, "links/*.jsonl"]}
END
mkdir links
echo '{"left": "crm/3", "right": "crm/9", "kind": "must"}' >links/old.jsonl

# run STATUS ARGS...: in ./stdout and ./stderr
run() {
    local expected=$1 code
    shift
    "$KINDRED" "$@" >stdout 2>stderr </dev/null
    code=$?
    [ "$code" = "$expected" ] || fail "kindred $*: status $code, not $expected: $(head -n 3 stderr)"
}
links() { printf '%s\n' left,right,kind "$@" >links.csv; }
# refused TEXT LINKS...
refused() {
    local text=$1
    shift
    links "$@"
    rm -rf bad bad.state
    run 1 match people.yaml -o bad -q
    grep -qF -- "$text" stderr || fail "$*: nothing like '$text': $(cat stderr)"
    [ ! -e bad ] || fail "$*: there is a result"
}

links crm/1,crm/2,never crm/3,crm/4,must web/3,crm/1,never
for workers in 1 3; do
    run 0 match people.yaml -o "out$workers" --pairs --workers "$workers"
    cut -d, -f1,2,4- "out$workers/matches.csv" >"matches$workers"
done
grep -q 'links of people' stdout || fail "the summary does not name the links: $(cat stdout)"
cat >expected <<'END'
source,id,match_rule,confidence,group_size
crm,1,,,1
crm,2,,,1
crm,3,must,1,2
crm,4,must,1,2
END
same_file expected matches1 'matches.csv'
for file in matches pairs groups errors; do
    same_file "out1/$file.csv" "out3/$file.csv" "$file.csv of one worker and of three"
done
printf '%s\n' source_a,id_a,source_b,id_b,weight,probability,match_rule crm,3,crm,4,,1,must >expected
same_file expected out1/pairs.csv 'pairs.csv'
cat >expected <<'END'
source,file,line,id,field,reason,raw
,links.csv,4,web/3,left,link: no source of that name,"web/3,crm/1,never"
,links/old.jsonl,1,crm/9,right,link: no such record,"{""left"": ""crm/3"", ""right"": ""crm/9"", ""kind"": ""must""}"
END
same_file expected out1/errors.csv 'errors.csv'
tr -d ' \n' <out1/report.json | grep -qF '"links":{"read":4,"must":1,"never":1,"unknown":2}' ||
    fail "report.json: $(grep -A 5 '"links"' out1/report.json)"

refused 'links.csv:4: never, but these must links hold the two together: links.csv:3, links.csv:2' \
    crm/1,crm/2,must crm/2,crm/3,must crm/3,crm/1,never
refused 'links.csv:2: `kind` is neither must nor never' crm/1,crm/2,maybe
refused 'links.csv:2: `right` is no record' crm/1,2,must
refused 'links.csv:2: a link of a record with itself' crm/1,crm/1,must
refused 'links.csv:3: ' crm/1,crm/2,must 'crm/1,"crm/2,must'
rm links.csv
rm -rf bad bad.state
run 1 match people.yaml -o bad -q
grep -q 'links.csv' stderr || fail "a missing file: $(cat stderr)"
run 2 match people.yaml -o bad --cluster tcp://127.0.0.1:1
grep -q 'links are not sent to a cluster' stderr || fail "--cluster: $(cat stderr)"

finish links

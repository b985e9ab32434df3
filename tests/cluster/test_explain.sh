#!/usr/bin/env bash
# `kindred explain` says what a run decided, to the last digit; `kindred train --labels` learns from
# what is known.
. "$(dirname "$0")/lib_run.sh"
examples=$here/../../examples
cd "$scratch" || exit 1

# run STATUS ARGS...: in ./stdout and ./stderr
run() {
    local expected=$1 code
    shift
    "$KINDRED" "$@" >stdout 2>stderr </dev/null
    code=$?
    [ "$code" = "$expected" ] || fail "$*: status $code, not $expected: $(head -n 3 stderr)"
}
says() { grep -qE -- "$2" "$1" || fail "$3: nothing like '$2' in $1: $(head -n 5 "$1")"; }
says_not() { ! grep -qE -- "$2" "$1" || fail "$3: '$2' in $1: $(grep -E -m 3 -- "$2" "$1")"; }

# ---- a model with term frequencies, and rows that others supersede ----

# Of the first 60 records there are three rows: the one in records.csv, without a time; the one that
# stands; and a later row that is older. The cities of the dead ones must not count.
tr -d "\r" <"$examples/splink_fake1000/records.csv" >records.csv
awk -F, 'NR == 1 { print $0 ",changed"; next } NR <= 61 { OFS = ","; $5 = "Nowhere"; print $0 ",2020-01-01" }' \
    records.csv >later.csv
awk -F, 'NR == 1 { print $0 ",changed"; next } NR <= 61 { OFS = ","; $5 = "London"; print $0 ",2019-01-01" }' \
    records.csv >older.csv
sed 's/path: records.csv, id: record_id/path: [records.csv, later.csv, older.csv], id: record_id, updated: changed/' \
    "$examples/splink_fake1000/splink_fake1000.model.yaml" >w.yaml
run 0 match w.yaml -o out --pairs -q
run 2 match "$examples/splink_fake1000/no-such.yaml" -o x -q

# Every fortieth pair: the weight, to the digit; probability; rule; and it is a match.
checked=0 adjusted=0
while IFS=, read -r source_a a source_b b weight probability rule; do
    run 0 explain w.yaml "$source_a/$a" "$source_b/$b" -o out
    says stdout "^  weight $weight, probability $probability; threshold .*: reached$" "$a $b"
    says stdout "^They match: the model gives $weight bits" "$a $b"
    [ "$rule" = model ] || fail "$a $b: not by the model"
    # the running total ends at the weight
    [ "$(awk '$1 == "email" && NF > 5 { print $NF }' stdout)" = "$weight" ] ||
        fail "$a $b: the total is not $weight: $(grep -E '^  email' stdout)"
    grep -q 'records have the value' stdout && adjusted=$((adjusted + 1))
    checked=$((checked + 1))
done < <(awk 'NR > 1 && (NR < 5 || NR % 150 == 0)' out/pairs.csv)
((checked >= 8)) || fail "only $checked pairs were checked"
((adjusted >= 2)) || fail "only $adjusted pairs with a term frequency"
says_not out/pairs.csv superseded 'pairs'

# the row that stands is the one that is shown
first=$(awk -F, 'NR == 2 { print $1 }' records.csv)
second=$(awk -F, 'NR == 3 { print $1 }' records.csv)
run 0 explain w.yaml "$first" "people/$second" -o out
says stdout '^  city +Nowhere +Nowhere' 'the latest row stands'
says stdout 'normalised +nowhere +nowhere' 'raw and normalised'
says stdout '^Never compared: they have no blocking key in common. They would not match' 'never compared'
says stdout '^  none$' 'never compared'
run 0 explain w.yaml "$first" "$second" -o out --json
says stdout '"verdict": "not_compared", "compared": "no_common_key"' 'JSON'

# ---- a model whose levels weigh words by how many records have them ----

cp -r "$examples/fodors_zagats" guides
sed 's/^    name: .*/    name: [exact, soft_tfidf 0.95, tfidf 0.8, tfidf 0.7, tfidf 0.6, tfidf 0.5, tfidf 0.4, tfidf 0.3, tfidf 0.2]/' \
    guides/fodors_zagats.model.yaml | sed 's/^model:/model:\n  threshold: 0.001/' >guides/words.yaml
run 0 match guides/words.yaml -o guides/out --pairs -q
checked=0 words=0
while IFS=, read -r source_a a source_b b weight probability rule; do
    run 0 explain guides/words.yaml "$source_a/$a" "$source_b/$b" -o guides/out
    says stdout "^  weight $weight, probability $probability; threshold .*: reached$" "words: $a $b"
    grep -qE '^  name +(soft_)?tfidf' stdout && words=$((words + 1))
    checked=$((checked + 1))
done < <(awk 'NR % 3 == 2' guides/out/pairs.csv)
((checked >= 30)) || fail "words: only $checked pairs were checked"
((words >= 8)) || fail "only $words pairs by the weight of words"

# ---- a MatchGroup ----

group=$(awk -F, 'NR > 1 && $6 > 3 { print $3; exit }' out/matches.csv)
size=$(grep -c ",$group," out/matches.csv)
run 0 explain w.yaml "$group" -o out
says stdout "^MatchGroup $group: $size records" 'group'
[ "$(grep -c ' joins ' stdout)" = $((size - 1)) ] || fail "group: not $((size - 1)) links"
says stdout '^  without it: parts of [0-9]+ and [0-9]+ records$' 'group'
# links fall in strength, and a record's strongest link has the confidence of matches.csv
awk '/ joins / { w = $4; if (n++ && w > last) exit 1; last = w }' stdout || fail 'group: links in disorder'
run 0 explain w.yaml "$group" -o out --json
says stdout "\"match_id\": \"$group\"" 'group, JSON'
run 1 explain w.yaml 0123456789abcdef0123456789abcdef -o out
says stderr 'has no MatchGroup' 'no such group'
sed -i "$((size > 0 ? 2 : 2))d" records.csv # the sources are others now
run 2 explain w.yaml "$group"
says stderr 'needs -o' 'a group without a result'

# ---- rules only: stars, vetoes, one source twice ----

cat >rules.yaml <<'YAML'
kindred: 1
workflow: rules
fields: {email: email, name: name, born: date, tax: id}
sources:
  crm: {path: crm.csv, id: key}
  web: {path: web.csv, id: key}
rules:
  - {name: same email, when: Exact(email)}
  - {name: close name, when: "JaroWinkler(name, 0.9) AND Exact(born)"}
never:
  - {name: two tax numbers, when: Differs(tax)}
limits: {max_block: 4}
YAML
cat >crm.csv <<'CSV'
key,email,name,born,tax
1,A@X.org,Ann Smith,1980-01-02,
2,a@x.org ,Anne Smith,1980-01-02,7
3,b@x.org,Ann Smithe,1980-01-02,8
4,d@x.org,Zoe,1990-02-03,
a/b,d@x.org,Zoe,1990-02-03,
CSV
cat >web.csv <<'CSV'
key,email,name,born,tax
1,e@x.org,Yan,1980-01-02,
9,,Xu,1980-01-02,
CSV
run 0 match rules.yaml -o rules.out -q
run 0 explain rules.yaml crm/1 2
says stdout '^They match: rule "same email" is true\.$' 'a star'
says stdout 'same email: matches, and decides' 'a star'
says stdout '^    Exact\(email\) +true +a@x.org \| a@x.org' 'a term with its values'
says stdout "^  rule 'same email': email: a@x.org  \(2 records, all of which match by these values\)" 'a star'
says stdout '^  email +A@X.org +a@x.org' 'raw values'
says stdout 'unknown +\(empty\) \| 7' 'a term without a value'
run 0 explain rules.yaml 2 3
says stdout 'But never in one MatchGroup: "two tax numbers" is true' 'a veto'
says stdout 'two tax numbers: keeps them apart' 'a veto'
says stdout 'born: 1980-01-02  \(5 records, more than max_block' 'an oversized block'
run 0 explain rules.yaml 4 a/b
says stdout 'same email' 'an id with a slash'
run 0 explain rules.yaml 4 crm/a/b --json
says stdout '"verdict": "match", "compared": "yes", "decided_by": "same email"' 'JSON of rules'
says stdout '"model": null' 'JSON of rules'
run 1 explain rules.yaml 1 2
says stderr "id '1' is in source 'crm' and in 'web'" 'an ambiguous id'
run 1 explain rules.yaml crm/9 2
says stderr "no record of source 'crm' has the id '9'" 'an unknown record'
run 1 explain rules.yaml crm/1 crm/1
says stderr 'the same record' 'a record with itself'
run 2 explain rules.yaml
run 2 explain rules.yaml 1 2 3
run 0 help explain
says stdout 'MATCH_ID' '--help'
group=$(awk -F, '$1 == "crm" && $2 == 1 { print $3 }' rules.out/matches.csv)
run 0 explain rules.yaml "$group" -o rules.out
says stdout 'no pair is forbidden: all were checked' 'vetoes of a group'
sed -i "s/^crm,3,[^,]*/crm,3,$group/" rules.out/matches.csv # as if it had been joined all the same
run 0 explain rules.yaml "$group" -o rules.out
says stdout 'two tax numbers forbids it' 'a forbidden pair in a group'
run 1 explain w.yaml people/r000229 people/r000420 -o nowhere
says stderr 'nowhere/model.json' 'no model'
run 1 explain w.yaml people/r000229 people/r000420
says stderr '-o OUT_DIR' 'which model'

# ---- a model from labels ----

f1_of() { # WORKFLOW
    run 0 match "$1" -o quality -q
    "$KINDRED" evaluate --truth "$examples/febrl3/truth.csv" quality |
        awk '$1 == "pairs" { print $NF; exit }'
}
mkdir febrl3
cp "$examples/febrl3/records.csv" febrl3
sed 's/^model:/model:\n  train: {random_pairs: 100000}/' "$examples/febrl3/febrl3.model.yaml" >febrl3/train.yaml
sed 's/^model:/model:\n  file: model.json/' "$examples/febrl3/febrl3.model.yaml" >febrl3/match.yaml
run 0 train febrl3/train.yaml --labels "$examples/febrl3/truth.csv" -o febrl3/model.json
says stdout '^labels: 6538 pairs that match, [0-9]+ that do not$' 'training'
says stdout '^matches: about 6538 in all' 'training'
f1=$(f1_of febrl3/match.yaml)
awk -v f1="$f1" 'BEGIN { exit !(f1 >= 0.99) }' || fail "labels of all records: F1 is $f1"
# the order of labels changes nothing
(head -n 1 "$examples/febrl3/truth.csv" && tail -n +2 "$examples/febrl3/truth.csv" | sort -t, -k2) >sorted.csv
run 0 train febrl3/train.yaml --labels sorted.csv -o again.json -q
same_file febrl3/model.json again.json 'labels in another order'
# a few pairs
awk -F, 'NR > 1 { if (last[$2]) print last[$2] "," $1 ",1"; else if (other) print other "," $1 ",0"
                  last[$2] = $1; other = $1 }' "$examples/febrl3/truth.csv" |
    awk -F, '$3 == 1 && ones++ < 300 || $3 == 0 && zeros++ < 300' >few
(echo id_a,id_b,label && cat few) >few.csv
run 0 train febrl3/train.yaml --labels few.csv -o febrl3/model.json
says stdout '^labels: 300 pairs that match, 300 that do not$' 'pairs'
f1=$(f1_of febrl3/match.yaml)
awk -v f1="$f1" 'BEGIN { exit !(f1 >= 0.99) }' || fail "labels of 600 pairs: F1 is $f1"

bad() { # TEXT-OF-THE-FILE MESSAGE
    printf '%b' "$1" >bad.csv
    run 1 train febrl3/train.yaml --labels bad.csv -o never.json
    says stderr "$2" "bad labels"
    [ ! -e never.json ] || fail "bad labels: a model all the same ($2)"
}
a=$(head -n 1 few | cut -d, -f1) b=$(head -n 1 few | cut -d, -f2)
bad "id,entity\n$a,1\nnobody,1\n" "^kindred: bad.csv: line 3: no record has the id 'nobody'"
bad "id,entity\n$a,1\n$b,2\n$a,1\n" 'bad.csv: line 4: the same record is in line 2'
bad "id_a,id_b,label\n$a,$b,1\n$b,$a,0\n" 'bad.csv: line 3: the same pair has another label in line 2'
bad "id_a,id_b,label\n$a,$b,yes\n" "bad.csv: line 2: label is 'yes'; expected 0 or 1"
bad "id_a,id_b,label\n$a,$a,1\n" 'bad.csv: line 2: a record with itself'
bad "source_a,id_a,id_b,label\nshop,$a,$b,1\n" "bad.csv: line 2: there is no source 'shop'"
bad "id_a,id_b,label\n$a,$b,0\n" 'bad.csv: no two records in it are the same'
bad "id_a,label\n$a,1\n" "bad.csv: line 1: there is no column 'id_b'"
bad "id,entity\n$a,\n" "bad.csv: line 2: 'entity' is empty"
bad "id,entity\n" 'bad.csv: there are no labels in it'
run 1 train febrl3/train.yaml --labels no-such.csv -o never.json
says stderr 'no-such.csv' 'no file'

finish explain

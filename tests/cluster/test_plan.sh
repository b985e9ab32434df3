#!/usr/bin/env bash
# `kindred plan`: what it says of the blocking keys is held against the truth: the part of the matches
# that they find, and the key that would find more.
. "$(dirname "$0")/lib_run.sh"
cd "$scratch" || exit 1

email='[email]'
phone='[phone]'
dob='[soundex(last_name), dob]'
postcode='[prefix(first_name, 3), postcode]'

head_of() { # SOURCE KEYS...: the workflow file without what decides
    local source=$1 keys
    shift
    keys=$(printf ', %s' "$@")
    cat <<YAML
kindred: 1
workflow: plan
fields:
  first_name: name
  last_name: name
  dob: date
  email: email
  phone: {type: phone, country: GB}
  street: address
  city: text
  postcode: {type: postcode, country: GB}
sources: {p: {path: $source/people.csv, id: id}}
block_on: [${keys#, }]
YAML
}
model() {
    cat <<'YAML'
model:
  compare:
    first_name: [exact, jaro_winkler 0.92, jaro_winkler 0.8]
    last_name: {levels: [exact, jaro_winkler 0.92, jaro_winkler 0.8], term_frequency: true}
    dob: [exact, damerau 1, within 1 year]
    email: [exact, same username, jaro_winkler 0.9]
    phone: [exact, suffix 6]
    postcode: [exact, prefix 4]
YAML
}
rules() {
    cat <<'YAML'
rules:
  - JaroWinkler(last_name, 0.85) AND Within(dob, 31 days) AND (JaroWinkler(first_name, 0.85) OR Empty(first_name))
  - Damerau(email, 2) AND JaroWinkler(last_name, 0.8)
  - Damerau(phone, 1) AND JaroWinkler(first_name, 0.85)
YAML
}
plan() { # WORKFLOW [OPTIONS]: in ./stdout
    "$KINDRED" plan "$@" -q >stdout 2>stderr </dev/null || fail "plan $*: $(head -n 3 stderr)"
}
# The number of a key of "blocking" in the JSON of a plan.
blocking() { awk -v key="    \"$1\":" 'index($0, key) == 1 { gsub(/[^0-9.e+-]/, "", $2); print $2; exit }' stdout; }
next_key() { awk -F'"' '/"next_keys"/ { on = 1 } on && $2 == "key" { print $4; exit }' stdout; }
close_to() { awk -v a="$1" -v b="$2" -v off="$3" 'BEGIN { d = a - b; exit !(a != "" && d <= off && -d <= off) }'; }

# The part of the true pairs that share a key: a rule that holds for every pair writes them all down.
true_recall() { # SOURCE KEYS...
    { head_of "$@"; echo 'rules: [Empty(dob) OR NOT Empty(dob)]'; } >all.yaml
    rm -rf all
    "$KINDRED" match all.yaml -o all --pairs -q || fail 'match of all pairs'
    awk -F, 'NR == FNR { entity[$1] = $2; size[$2]++; next }
             FNR > 1 && entity[$2] == entity[$4] { found++ }
             END { for (e in size) all += size[e] * (size[e] - 1) / 2; print found / all }' \
        "$1/truth.csv" all/pairs.csv
}

generate people 20000 5

# One key is taken out: the estimate is near the truth, and that key is proposed first.
printf '%-40s %9s %9s  %s\n' 'without' 'true' 'estimated' 'next key'
one_without() { # KEY TOLERANCE FIRST-PROPOSAL JUDGE KEYS...
    local gone=$1 tolerance=$2 expected=$3 judge=$4 truth recall next
    shift 4
    { head_of people "$@"; "$judge"; } >w.yaml
    truth=$(true_recall people "$@")
    plan w.yaml --json
    recall=$(blocking recall)
    next=$(next_key)
    printf '%-40s %9.4f %9.4f  %s\n' "$gone, $judge" "$truth" "$recall" "$next"
    grep -q '"recall_is": "known"' stdout || fail "without $gone: the recall is not known"
    close_to "$recall" "$truth" "$tolerance" || fail "without $gone: the recall is $truth, not $recall"
    [ "$next" = "$expected" ] || fail "without $gone, $judge: proposed $next, not $expected"
}
one_without "$email" 0.02 email model "$phone" "$dob" "$postcode"
one_without "$phone" 0.02 phone model "$email" "$dob" "$postcode"
one_without "$dob" 0.02 'soundex(last_name), dob' model "$email" "$phone" "$postcode"
one_without "$postcode" 0.02 'prefix(first_name, 3), postcode' model "$email" "$phone" "$dob"
# two keys tell less: their errors go together a little, and the estimate is too low
one_without "$dob" 0.06 'soundex(last_name), dob' rules "$email" "$postcode"
one_without "$postcode" 0.06 'prefix(first_name, 3), postcode' rules "$email" "$phone" "$dob"

# With the key that is proposed the recall is what was promised.
{ head_of people "$email" "$phone" "$postcode"; model; } >w.yaml
plan w.yaml --json
promised=$(awk '/"next_keys"/ { on = 1 } on && /"recall"/ { gsub(/[^0-9.]/, "", $2); print $2; exit }' stdout)
close_to "$promised" "$(true_recall people "$email" "$phone" "$postcode" "$dob")" 0.03 ||
    fail "with the proposed key: promised $promised"

# For people: the same numbers.
plan w.yaml
grep -qE '^  the keys find about 6,[0-9]{3} of 6,[0-9]{3} \(6,[0-9]{3} to 6,[0-9]{3}\): an estimated blocking recall of 9[0-9]\.[0-9] %$' stdout ||
    fail "plan: no recall: $(grep 'the keys' stdout)"
grep -qE '^  \[soundex\(last_name\), dob\] +3[0-9]{2} +[23][0-9]{2} +9[0-9]{2},[0-9]{3} +9[0-9]\.[0-9] %$' stdout ||
    fail "plan: no proposal: $(grep '\[' stdout)"

# A model from its file says the same.
"$KINDRED" train w.yaml -o model.json -q || fail 'train'
plan w.yaml --json
awk '/"blocking"/ { on = 1 } on { print } /^  }/ { on = 0 }' stdout >trained
sed 's/^model:/model:\n  file: model.json/' w.yaml >filed.yaml
plan filed.yaml --json
awk '/"blocking"/ { on = 1 } on { print } /^  }/ { on = 0 }' stdout >filed
same_file trained filed 'a model from its file'

# ---- what cannot be known ----

unknown() { # LABEL TEXT AT-MOST
    plan w.yaml --json
    grep -q '"recall_is": "unknown"' stdout || fail "$1: the recall is said to be known"
    [ -z "$(blocking recall)" ] || fail "$1: a recall all the same"
    [ -n "$(next_key)" ] || fail "$1: no key is proposed"
    close_to "$(blocking recall_at_most)" "$3" 0.05 || fail "$1: at most $(blocking recall_at_most)"
    plan w.yaml
    grep -q "recall-unknown: $2" stdout || fail "$1: $(grep recall-unknown stdout)"
}
{ head_of people "$email"; model; } >w.yaml
unknown 'one key' 'one key alone cannot tell' 0.67
{ head_of people "$dob" '[first_name, dob]'; model; } >w.yaml
unknown 'keys that share a field' "all keys use 'dob'" 0.74

# Keys that follow from the rules miss nothing of what these match.
{ head_of people "$email" | sed '/^block_on/d'; printf 'rules: [Exact(email), "JaroWinkler(last_name, 0.85) AND Exact(dob)"]\n'; } >w.yaml
plan w.yaml --json
grep -q '"recall_is": "complete"' stdout || fail 'keys from the rules: not complete'
plan w.yaml
grep -q 'all that the rules match' stdout || fail 'keys from the rules: not said to be complete'
# nothing to go by
mkdir none && printf 'id,first_name,last_name,dob,email,phone,street,city,postcode\n' >none/people.csv
{ head_of none "$email" "$dob"; rules; } >w.yaml
plan w.yaml --json
grep -q '"blocking"' stdout && fail 'no records: something is said of the keys'
printf '1,Ann,Lee,1990-01-01,a@b.example,,,,\n2,Ann,Lee,1990-01-01,a@b.example,,,,\n' >>none/people.csv
plan w.yaml
grep -q 'recall-unknown: the keys find hardly any matches' stdout || fail "two records: $(grep keys stdout)"

# ---- a sample of more records: the same for any number of workers and threads ----

generate more 60000 7
{ head_of more "$email" "$phone" "$postcode"; model; } >w.yaml
for layout in '1 1' '1 4' '3 2' '7 1'; do
    plan w.yaml --json --workers "${layout% *}" --threads "${layout#* }"
    sed '/"seconds"/,/}/d' stdout >"planned-${layout/ /-}"
    same_file planned-1-1 "planned-${layout/ /-}" "workers and threads $layout"
done
[ "$(next_key)" = 'soundex(last_name), dob' ] || fail "60,000 records: $(next_key) is proposed"
close_to "$(blocking recall)" "$(true_recall more "$email" "$phone" "$postcode")" 0.02 ||
    fail "60,000 records: the recall is not $(blocking recall)"

finish 'plan'

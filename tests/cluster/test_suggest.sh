#!/usr/bin/env bash
# `kindred suggest`: what it writes is a workflow file that `match` takes unedited, with results worth
# having; it shows no values unless asked; and what it says of files it can do nothing with.
. "$(dirname "$0")/lib_run.sh"
examples=$here/../../examples
cd "$scratch" || exit 1

# run STATUS ARGS...: in ./stdout and ./stderr
run() {
    local expected=$1 code
    shift
    "$KINDRED" suggest "$@" >stdout 2>stderr </dev/null
    code=$?
    [ "$code" = "$expected" ] || fail "suggest $*: status $code, not $expected: $(head -n 3 stderr)"
}
says() { grep -qE -- "$2" "$1" || fail "$3: nothing like '$2' in $1: $(head -n 5 "$1")"; }
says_not() { ! grep -qE -- "$2" "$1" || fail "$3: '$2' in $1: $(grep -E -m 3 -- "$2" "$1")"; }
check() { "$KINDRED" match --check "$1" >checked 2>&1 || fail "$2: match --check: $(head -n 5 checked)"; }
f1_of() { # WORKFLOW TRUTH LABEL: of all pairs
    rm -rf out
    "$KINDRED" match "$1" -o out -q || fail "$3: match"
    "$KINDRED" evaluate --truth "$2" out >evaluation || fail "$3: evaluate"
    awk '$1 == "pairs" { print $(NF - 2), $(NF - 1), $NF; exit }' evaluation
}
at_least() { awk -v f1="${1##* }" -v least="$2" 'BEGIN { exit !(f1 + 0 >= least + 0) }'; }

# ---- quality, unedited ----

# name, sources, least F1: just under what is reached, so that a change that costs quality is seen.
# The table is what docs/suggest.md shows.
printf '%-24s %9s %9s %9s\n' 'pairs, unedited' precision recall F1
while read -r name files least; do
    [ -n "$name" ] || continue
    paths=()
    for file in ${files//,/ }; do
        paths+=("$examples/$name/$file")
    done
    mkdir "$name"
    run 0 "${paths[@]}" -o "$name/w.yaml"
    check "$name/w.yaml" "$name"
    quality=$(f1_of "$name/w.yaml" "$examples/$name/truth.csv" "$name")
    printf '%-24s %9s %9s %9s\n' "$name" $quality
    at_least "$quality" "$least" || fail "$name: F1 is ${quality##* }, expected at least $least"
    # the same bytes again, from elsewhere
    (cd / && "$KINDRED" suggest "${paths[@]}" -o "$scratch/$name/again.yaml") 2>/dev/null
    same_file "$name/w.yaml" "$name/again.yaml" "$name: the same again"
done <<'LIST'
splink_fake1000 records.csv 0.87
febrl3 records.csv 0.98
senzing_truthset customers.csv,reference.csv,watchlist.csv 0.55
fodors_zagats fodors.csv,zagats.csv 0.90
LIST

# Sources of their own, compared across only: what a person would do with the last one.
run 0 --separate "$examples/fodors_zagats/fodors.csv" "$examples/fodors_zagats/zagats.csv" -o sep.yaml
says sep.yaml '^  fodors:' '--separate'
says sep.yaml '^  zagats:' '--separate'
says sep.yaml '^# pairs: across_sources' '--separate'
sed -i 's/^# pairs:/pairs:/' sep.yaml
check sep.yaml '--separate, across sources'
quality=$(f1_of sep.yaml "$examples/fodors_zagats/truth.csv" '--separate')
at_least "$quality" 0.92 || fail "--separate: F1 is ${quality##* }"

generate people 20000 5
run 0 people/people.csv -o people.yaml
quality=$(f1_of people.yaml people/truth.csv people)
printf '%-24s %9s %9s %9s\n' 'generated, 20,000' $quality
at_least "$quality" 0.95 || fail "generated persons: F1 is ${quality##* }"
says people.yaml '^  dob: date$' 'a date'
says people.yaml '^  phone: \{type: phone, country: GB\}$' 'a country by its calling code'
says people.yaml '^    updated: updated$' 'the time of the last change'
[ ! -s stderr ] || fail "suggest: on standard error: $(head -n 3 stderr)"

# A part of the rows is enough; pairs are extrapolated as `plan` then counts them.
generate more 60000 7
run 0 more/people.csv --rows 20000 -o part.yaml
says part.yaml '^# of about (59|60|61),[0-9]00, the first of each file' '--rows'
quality=$(f1_of part.yaml more/truth.csv part)
printf '%-24s %9s %9s %9s\n' '60,000 by 20,000 of them' $quality
at_least "$quality" 0.93 || fail "a part of the rows: F1 is ${quality##* }"
"$KINDRED" plan part.yaml -q >planned || fail 'plan of a suggestion'
awk 'FNR == NR { if (/ pairs, largest block /) { p = $2; gsub(/,/, "", p) }
                 else if (/^  - \[/) { k = $0; sub(/^  - \[/, "", k); sub(/\]$/, "", k); gsub(/, /, " + ", k); want[k] = p }
                 next }
     /^  Of the matches/ { exit } # below are other tables of the same keys
     { line = $0; sub(/^  /, "", line); for (k in want) if (index(line, k "  ") == 1) {
           rest = substr(line, length(k) + 1); split(rest, n, " +"); got = n[4]; gsub(/,/, "", got); got += 0
           seen[k]; if (got < 0.7 * want[k] || got > 1.4 * want[k]) { print k ": " want[k] " expected, " got; bad = 1 } } }
     END { for (k in seen) some = 1; exit bad || !some }' part.yaml planned >off || fail "pairs of keys are not those of plan: $(cat off)"

# ---- what is written ----

one=$examples/splink_fake1000/records.csv
run 0 "$one"
[ ! -s stderr ] || fail "suggest: on standard error: $(head -n 3 stderr)"
mv stdout plain.yaml
says plain.yaml '^# A first workflow, .* from 1,000 records' 'the head'
says plain.yaml '^#   compare:$' 'the model'
says plain.yaml '^#     surname: .*jaro_winkler' 'the model'
says plain.yaml '^# never:$' 'vetoes'
says plain.yaml '^  default: most_complete$' 'golden records'
awk '/^  - \[/ && before !~ /pairs, largest block .* of the records/ { bad = 1 } { before = $0 } END { exit bad }' plain.yaml ||
    fail 'a key without its pairs, largest block and coverage'
[ "$(grep -c '^  - name: ' plain.yaml)" -le 5 ] || fail 'more than five rules'

# Values: with --values only. Every word of three letters that is a value must be missing.
run 0 "$one" --values
mv stdout values.yaml
check values.yaml '--values'
says values.yaml '^  # surname: "[A-Z][a-z]+" [0-9.]+ %' '--values'
tr -d '\r' <"$one" | cut -d, -f2,3,5,6 | tail -n +2 | tr ',' '\n' | grep -E '^.{4,}$' | sort -u >words
for file in plain.yaml people.yaml; do
    grep -v '^    path: ' "$file" | grep -wF -f words >found && fail "$file shows values: $(head -n 3 found)"
done

# Columns that are better left out, each with its reason; and never the answer.
awk -F, 'NR == 1 { print $0 ",row,kind,void,notes_of,entity,record_source"; next }
         { print $0 "," NR "," (NR % 3 ? "a" : "b") ",,same," substr($3, 1, 3) NR % 7 ",file" NR % 2 }' <(tr -d '\r' <"$one") >more.csv
run 0 more.csv -o more.yaml
check more.yaml 'columns to be left out'
for pair in 'row numbers=row' 'few different values=kind' 'empty=void' 'the same value=notes_of' 'earlier matching=entity'; do
    awk -v why="${pair%=*}" -v name="${pair#*=}" 'index($0, why) { on = 1; next } /^#   [a-z]/ { on = 0 }
        on && $0 ~ "[ ,]" name "(,|$)" { found = 1 } END { exit !found }' more.yaml ||
        fail "${pair#*=} is not left out for: ${pair%=*}"
done
sed -n '/^rules/,$p' more.yaml | grep -qw entity && fail 'the answer is used'
"$KINDRED" match more.yaml -o carried -q || fail 'match of more.yaml'
head -n 1 carried/groups.csv | grep -q ',kind,' || fail 'what is left out is not carried through'

# Sources that call the same thing differently.
mkdir -p data deep/er
cat >data/crm.csv <<'C'
customer_id,first_name,last_name,dob,email,mobile,landline
c1,Ann,Lee,23/04/1985,ann.lee@example.com,07700 900123,
c2,Robert,Maxwell,21/11/1970,,07700 900456,020 7946 0001
c3,Dora,O'Connor,1/2/1991,dora@example.com,,
C
cat >data/web.jsonl <<'C'
{"user": "u7", "name": {"first": "Ann", "last": "Lee"}, "birthdate": "1985-04-23", "phone": "+44 7700 900123"}
{"user": "u8", "name": {"first": "Bob", "last": "Quist"}, "birthdate": "1970-11-21", "email": ["bob@example.org", "bq@example.com"]}
{"user": "u9", "name": {"first": "Dora", "last": "OConnor"}, "birthdate": "1991-02-01", "email": "Dora@Example.com"}
C
run 0 data/crm.csv data/web.jsonl -o deep/er/w.yaml
check deep/er/w.yaml 'two sources'
for line in '^    path: \.\./\.\./data/crm\.csv$' '^    path: \.\./\.\./data/web\.jsonl$' '^    id: customer_id' '^    id: user ' \
    '^      first_name: name\.first$' '^      last_name: name\.last$' '^      (birth_date|dob): birthdate$' \
    '^  phone: \{type: phone, country: GB, columns: \[mobile, landline\]\}$' '^      phone: phone$' 'order: dmy'; do
    says deep/er/w.yaml "$line" 'two sources'
done
says stderr 'hardly any pair' 'six records'
"$KINDRED" match deep/er/w.yaml -o two -q || fail 'match of two sources'
[ "$(awk -F, '$6 == 2' two/matches.csv | wc -l)" = 4 ] || fail "two sources: $(cat two/matches.csv)"
says_not stderr . 'quiet'$(run 0 -q data/crm.csv data/web.jsonl)

# Several files of one source: a pattern, a list; compressed.
head -n 3001 people/people.csv >part-1.csv
{ head -n 1 people/people.csv; sed -n '3002,6000p' people/people.csv; } >part-2.csv
run 0 'part-*.csv' -o parts.yaml
says parts.yaml '^  part:$' 'a pattern'
says parts.yaml '^    path: "part-\*\.csv"$' 'a pattern'
run 0 part-1.csv part-2.csv ./part-1.csv
[ "$(grep -c '^      - part-[12].csv$' stdout)" = 2 ] || fail "a list of files: $(grep -A4 path: stdout)"
cmp -s <(sed '/path:/,/id:/d' parts.yaml) <(sed '/path:/,/id:/d' stdout) || fail 'a pattern and a list differ'
gzip -k part-1.csv
run 0 part-1.csv.gz -o packed.yaml
run 0 part-1.csv -o unpacked.yaml
cmp -s <(grep -v path: packed.yaml) <(grep -v path: unpacked.yaml) || fail 'a compressed file gives something else'
if command -v zstd >/dev/null; then
    zstd -q part-1.csv
    run 0 part-1.csv.zst
    cmp -s <(grep -v path: stdout) <(grep -v path: unpacked.yaml) || fail 'a zstd file gives something else'
fi
mkdir 'odd [x]' && cp part-1.csv 'odd [x]/a*b: #.csv'
run 0 'odd [x]/a*b: #.csv' -o odd.yaml
check odd.yaml 'an odd path'
"$KINDRED" match odd.yaml -o odd -q || fail 'match of an odd path'

# The same ids in two files: one would replace the other.
sed 's/Maria/Mary/' part-1.csv >part-3.csv
run 0 part-1.csv part-3.csv -o twice.yaml
says twice.yaml '^  part-?_?1:$' 'ids that repeat'
says twice.yaml 'their ids repeat from file to file' 'ids that repeat'
check twice.yaml 'ids that repeat'

# ---- what cannot be done ----

cut -d, -f2- part-1.csv >noid.csv
run 0 noid.csv -o noid.yaml
says stderr 'noid.csv: no column can name the records' 'no id'
says noid.yaml 'No column can name the records' 'no id'
"$KINDRED" match --check noid.yaml >checked 2>&1 && fail 'no id: match --check is content'
says checked 'id' 'no id'
sed 's/^    # id: $/    id: row/' noid.yaml >withid.yaml
check withid.yaml 'no id, then one'

run 1 nothere.csv
says stderr '^kindred: nothere.csv: No such file' 'a missing file'
run 1 'no*where.csv'
says stderr '^kindred: no\*where.csv: no file matches' 'a pattern without match'
: >empty.csv
run 1 empty.csv
says stderr '^kindred: empty.csv: line 1: there is no header line' 'an empty file'
: >empty.jsonl
run 1 empty.jsonl
says stderr '^kindred: empty.jsonl: there are no records' 'an empty file'
head -n 1 part-1.csv >header.csv
run 1 header.csv
says stderr '^kindred: header.csv: there are no records' 'a header alone'
run 1 .
says stderr 'is a directory' 'a directory'
mkfifo pipe.csv
run 1 pipe.csv
says stderr 'not a regular file' 'a pipe'
head -c 20000 "$KINDRED" >junk.csv
run 1 junk.csv
says stderr '^kindred: junk.csv: line ' 'junk'
cp junk.csv junk.jsonl
run 1 junk.jsonl
says stderr '^kindred: junk.jsonl: ' 'junk'
cp junk.csv junk.csv.gz
run 1 junk.csv.gz
says stderr '^kindred: junk.csv.gz: ' 'junk'
printf 'id\n1\n2\n3\n' >one.csv
run 1 one.csv
says stderr 'no column has anything' 'one column, of ids'
{ cat part-1.csv; echo 'a,b'; } >bad.csv
run 0 bad.csv -o bad.yaml
says stderr 'bad.csv: 1 of 3001 rows cannot be read; line 3002: expected 10 cells, found 2' 'a bad row'
says bad.yaml '^# \(besides 1 rows' 'a bad row'

awk 'BEGIN { srand(3); printf "id"; for (c = 1; c <= 4000; c++) printf ",column %d", c; print ""
             for (r = 0; r < 60; r++) { printf "r%d", r; for (c = 1; c <= 4000; c++) printf ",%s", (c + r) % 5 ? int(rand() * (c % 7 ? 3 : 40)) "x" : ""; print "" } }' >wide.csv
run 0 wide.csv -o wide.yaml
check wide.yaml '4,000 columns'
[ "$(wc -c <wide.yaml)" -lt 100000 ] || fail '4,000 columns make a file that nobody reads'

run 2
says stderr 'expected the files' 'no file'
run 2 --rows 0 part-1.csv
run 2 --rows 10x part-1.csv
run 2 --nonsense part-1.csv
run 2 -o '' part-1.csv
run 2 -o nowhere/w.yaml part-1.csv
cp parts.yaml mine.yaml
run 2 -o mine.yaml part-1.csv
says stderr '^kindred: mine.yaml: exists' 'an output that is there'
same_file parts.yaml mine.yaml 'an output that is there is changed'
if [ -w /dev/full ]; then
    "$KINDRED" suggest part-1.csv >/dev/full 2>stderr && fail 'a full disk is no failure'
    says stderr 'standard output cannot be written' 'a full disk'
fi

finish 'suggest'

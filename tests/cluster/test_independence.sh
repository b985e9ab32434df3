#!/usr/bin/env bash
# The same input gives the same bytes, whatever the number of workers and threads and whatever packing the
# sources come in; and shuffled, the same rows.
#
#   INDEPENDENCE_RECORDS  records (20000)
. "$(dirname "$0")/lib_run.sh"
records=${INDEPENDENCE_RECORDS:-20000}
outputs='matches.csv groups.csv errors.csv pairs.csv'

cd "$scratch" || exit 1
generate csv "$records" 11 --sources 3
generate json "$records" 11 --sources 3 --format jsonl
mkdir data
# In all three sources rejected rows of several kinds, in the first superseded ones too, with `updated`.
damage_csv() { awk 'NR > 1 && NR % 900 == 5 { print "short,row" } NR % 1100 == 7 { print $0 ",long" } 1' "$1"; }
damage_json() { awk 'NR % 900 == 5 { print "[1]" } NR % 1100 == 7 { print $0 "," } 1' "$1"; }
awk -F, 'NR > 1 && NR % 700 == 3 { sub(/,[^,]*$/, ",1990-01-01"); print }' csv/people_1.csv >older
{ damage_csv csv/people_1.csv; cat older; } >data/a.csv
damage_csv csv/people_2.csv >data/b.csv
damage_json json/people_3.jsonl >data/c.jsonl

write_workflow() { # FILE A B C [REST]: the paths of the three sources
    cat >"$1" <<Y
kindred: 1
workflow: independence
fields:
  first_name: name
  last_name: name
  dob: date
  email: email
  phone: {type: phone, country: GB}
  street: address
  city: text
  postcode: postcode
sources:
  a: {path: "$2", id: id, updated: updated}
  b: {path: "$3", id: id, updated: updated}
  c: {path: "$4", id: id, updated: updated}
golden: {first_name: most_frequent, email: most_recent, street: longest, city: all, default: most_complete}
$5
Y
}

rich='rules:
  - {name: same email, when: Exact(email)}
  - {name: phone and name, when: "Exact(phone) AND JaroWinkler(last_name, 0.85)"}
  - {name: name and birth, when: "JaroWinkler(last_name, 0.92) AND JaroWinkler(first_name, 0.9) AND Exact(dob)"}
  - {name: name and place, when: "JaroWinkler(last_name, 0.9) AND Levenshtein(first_name, 1) AND Exact(postcode)"}
never:
  - {name: another person, when: "Differs(dob) AND Differs(postcode) AND Differs(phone)"}
block_on:
  - [email]
  - [phone]
  - [soundex(last_name)]
  - [prefix(first_name, 2), year(dob)]
  - [tokens(street)]
refine: [first_name, city]
limits: {max_block: 60, window: 8, max_group: 3}'
across='rules:
  - Exact(email)
  - Exact(last_name) AND Exact(dob)
  - JaroWinkler(last_name, 0.9) AND Exact(postcode)
pairs: across_sources
block_on:
  - [metaphone(last_name)]
  - [year(dob), prefix(postcode, 2)]
  - [tokens(street)]
limits: {max_block: 40, window: 5, max_keys: 4, max_group: 2}'

weighed='block_on:
  - [soundex(last_name)]
  - [soundex(first_name)]
model:
  compare:
    first_name: [exact, jaro_winkler 0.88]
    last_name: [exact, jaro_winkler 0.88]
    dob: [exact, damerau 1]
    email: [exact, jaro_winkler 0.92]'

run() { # WORKFLOW DIR OPTIONS...
    local workflow=$1 dir=$2
    shift 2
    "$KINDRED" match "$workflow" -o "$dir" --pairs -q "$@" || {
        fail "$dir: status $?"
        return
    }
    check_accounts "$dir" "$dir"
}

same_outputs() { # A B
    local file
    for file in $outputs; do
        same_file "$1/$file" "$2/$file" "$2: $file differs from that of $1"
    done
    rm -rf "$2"
}

# The data must exercise what is compared.
has() { # DIR PATTERN WHAT
    grep -qE "$2" "$1/report.json" || fail "$1: the data give no $3: they test nothing"
}

# ---- workers and threads ----

for kind in rich across; do
    write_workflow $kind.yaml data/a.csv data/b.csv data/c.jsonl "${!kind}"
    run $kind.yaml $kind --workers 1 --threads 1
    has $kind '"refined_blocks": [1-9]' 'refined blocks'
    has $kind '"windowed_blocks": [1-9]' 'windowed blocks'
    has $kind '"superseded": [1-9]' 'superseded rows'
    has $kind '"rejected": [1-9]' 'rejected rows'
    [ $kind = across ] || has $kind '"matched_pairs_refused": [1-9]' 'vetoes'
    [ $kind = rich ] || has $kind '"excess_keys": [1-9]' 'excess keys'
    has $kind '"over_max_group": [1-9]' 'groups over max_group'
    for workers in 1 2 5; do
        for threads in 1 4; do
            run $kind.yaml $kind-$workers-$threads --workers $workers --threads $threads
            same_outputs $kind $kind-$workers-$threads
        done
    done
done

# ---- the sample of pairs of which the weight is known, though they match by no means ----

weights_of() { awk '/^  "model": \{/, /^  \}/' "$1/report.json"; }
write_workflow weighed.yaml data/a.csv data/b.csv data/c.jsonl "$weighed"
run weighed.yaml weighed --workers 1 --threads 1
one_in=$(awk -F: '/"weighed_one_in"/ { print $2 + 0 }' weighed/report.json)
((one_in >= 64)) || fail "one in $one_in pairs is weighed: both ways of drawing are to be tested"
# about as many as there are pairs
awk -v one_in="$one_in" '
    /"pairs_compared"/ { sub(/.*: /, ""); all = $0 + 0 }
    /"below_floor"/ { s = $0; sub(/.*"below_floor": /, "", s); below += s; sub(/.*"from_floor": /, ""); from += $0 }
    END { estimate = below * one_in + from; print estimate, all; exit !(estimate > 0.8 * all && estimate < 1.25 * all) }
' weighed/report.json >estimate || fail "the sample stands for other than all pairs: $(cat estimate)"
run weighed.yaml weighed-5 --workers 5 --threads 3
cmp -s <(weights_of weighed) <(weights_of weighed-5) || fail 'the weights depend on the number of workers'
same_outputs weighed weighed-5

# ---- packing ----

# Rewrites the path in errors.csv, which is the one thing that may differ.
unpacked() { awk '{ gsub(/packed\//, "data/"); gsub(/\.(gz|zst),/, ","); print }' "$1"; }
stored_zst() { # FROM TO: frames of stored blocks, for where there is no zstd
    local part n
    rm -rf parts && mkdir parts
    split -a 4 -b 65536 "$1" parts/
    for part in parts/*; do
        n=$(($(wc -c <"$part") << 3 | 1))
        printf '\x28\xb5\x2f\xfd\x00\x58'
        printf "\\x$(printf %02x $((n & 255)))\\x$(printf %02x $((n >> 8 & 255)))\\x$(printf %02x $((n >> 16)))"
        cat "$part"
    done >"$2"
}
mkdir packed
gzip -c data/a.csv >packed/a.csv.gz
# two members are one stream
head -c 100000 data/b.csv >first_part
tail -c +100001 data/b.csv >second_part
{ gzip -1 -c first_part; gzip -9 -c second_part; } >packed/b.csv.gz
stored_zst data/c.jsonl packed/c.jsonl.zst
pack_and_compare() { # LABEL A B C
    local file
    write_workflow packed.yaml "$2" "$3" "$4" "$rich"
    run packed.yaml packed-out --workers 2 --threads 2
    for file in matches.csv groups.csv pairs.csv; do
        same_file rich/$file packed-out/$file "$1: $file"
    done
    unpacked packed-out/errors.csv >errors
    same_file rich/errors.csv errors "$1: errors.csv"
    rm -rf packed-out
}
pack_and_compare 'packed sources' packed/a.csv.gz packed/b.csv.gz packed/c.jsonl.zst
if command -v zstd >/dev/null; then
    zstd -q -19 data/a.csv -o packed/a.csv.zst
    zstd -q --fast=3 data/b.csv -o packed/b.csv.zst
    gzip -9 -c data/c.jsonl >packed/c.jsonl.gz
    pack_and_compare 'sources packed the other way' packed/a.csv.zst packed/b.csv.zst packed/c.jsonl.gz
fi

# ---- the same records as CSV and as JSON Lines ----

write_workflow csv.yaml csv/people_1.csv csv/people_2.csv csv/people_3.csv "$rich"
write_workflow json.yaml json/people_1.jsonl json/people_2.jsonl json/people_3.jsonl "$rich"
run csv.yaml from-csv --workers 3
run json.yaml from-json --workers 3
same_outputs from-csv from-json

# ---- order of rows ----

mkdir shuffled
# Ids must be unique for this: of two rows with one id and one time the later counts.
shuffle() { # FROM TO LINES OF HEADER SEED
    head -n "$3" "$1" >"$2"
    tail -n +$(($3 + 1)) "$1" |
        shuf --random-source=<(awk -v seed="$4" 'BEGIN { for (i = 0; i < 200000; i++) { seed = (seed * 1103515245 + 12345) % 2147483648; print seed } }') >>"$2"
}
sorted() { { head -n 1 "$1"; tail -n +2 "$1" | sort; }; }
# Without the line numbers; file names are those of the shuffled.
sorted_errors() {
    csv_records "$1" | awk -F, 'NR > 1 { sub(/shuffled\//, "data/", $2); $3 = ""; print }' | sort
}
shuffle_weighed() {
    write_workflow shuffled.yaml shuffled/a.csv shuffled/b.csv shuffled/c.jsonl "$weighed"
    run shuffled.yaml shuffled-out --workers 3
    cmp -s <(weights_of weighed) <(weights_of shuffled-out) || fail 'the weights depend on the order of rows'
    rm -rf shuffled-out
}
for seed in 1 2; do
    shuffle data/a.csv shuffled/a.csv 1 $((seed * 3))
    shuffle data/b.csv shuffled/b.csv 1 $((seed * 5))
    shuffle data/c.jsonl shuffled/c.jsonl 0 $((seed * 7))
    cmp -s data/a.csv shuffled/a.csv && fail 'nothing was shuffled'
    for kind in rich across; do
        write_workflow shuffled.yaml shuffled/a.csv shuffled/b.csv shuffled/c.jsonl "${!kind}"
        run shuffled.yaml shuffled-out --workers $((1 + seed)) --threads 2
        for file in matches.csv groups.csv pairs.csv; do
            cmp -s <(sorted $kind/$file) <(sorted shuffled-out/$file) ||
                fail "shuffled, seed $seed, $kind: $file has other rows"
        done
        cmp -s <(sorted_errors $kind/errors.csv) <(sorted_errors shuffled-out/errors.csv) ||
            fail "shuffled, seed $seed, $kind: errors.csv has other rows"
        rm -rf shuffled-out
    done
    [ $seed = 2 ] || shuffle_weighed
done

finish "$records records in many ways"

#!/usr/bin/env bash
# Runs every bundled example: quality against its truth, counts that add up, and the same bytes from
# another number of workers and threads.
#
#   KINDRED=build/release/kindred tests/cluster/test_examples.sh [NAME...]
set -euo pipefail

: "${KINDRED:?the path of the kindred binary}"
KINDRED=$(realpath "$KINDRED")
examples=$(realpath "$(dirname "$0")/../../examples")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# Workflow (DIR or DIR.VARIANT), line of evaluate that counts, least F1 there. Linking sets count pairs across
# sources only. The bounds lie just under what is reached, so that a change that costs quality is seen.
bundled='
fodors_zagats     across   0.980
senzing_truthset  pairs    0.940
splink_fake1000   pairs    0.970
febrl3            pairs    0.998
fodors_zagats.model     across   0.980
senzing_truthset.model  pairs    0.970
splink_fake1000.model   pairs    0.960
febrl3.model            pairs    0.998
'

fail() { # NAME TEXT
    printf 'FAILED %s: %s\n' "$1" "$2" >&2
    failures=$((failures + 1))
}

# Every value of FIELD, one a line: that of the whole run first, then one for each source. What the model
# says of its thresholds stands deeper.
report_numbers() { # REPORT FIELD
    grep -oE "^(  |      )\"$2\": *[0-9]+" "$1" | grep -oE '[0-9]+$'
}

rows() { # CSV: data rows; none of the examples has a line end in a value
    awk 'END { print NR - 1 }' "$1"
}

check_quality() { # NAME LINE LEAST
    local table f1
    table=$("$KINDRED" evaluate --truth "$examples/${1%%.*}/truth.csv" "$scratch/$1") || true
    f1=$(awk -v line="$2" '$1 == line { print $NF; exit }' <<<"$table")
    printf '%-24s %-7s F1 %s (at least %s)\n' "$1" "$2" "${f1:-none}" "$3"
    awk -v f1="${f1:-none}" -v least="$3" \
        'BEGIN { exit !(f1 ~ /^[01]\.[0-9]+$/ && f1 + 0 >= least + 0 && f1 + 0 <= 1) }' ||
        fail "$1" "F1 of $2 is ${f1:-missing}, expected at least $3"
}

# read = grouped + singletons + superseded + rejected, in all and for each source; the sources add
# up to the total; and the outputs hold what the report says.
check_counts() { # NAME
    local out=$scratch/$1 report=$scratch/$1/report.json
    paste <(report_numbers "$report" read) <(report_numbers "$report" grouped) \
        <(report_numbers "$report" singletons) <(report_numbers "$report" superseded) \
        <(report_numbers "$report" rejected) >"$scratch/counts"
    awk 'NF != 5 || $1 != $2 + $3 + $4 + $5 { bad = 1 }
         NR == 1 { total = $1 } NR > 1 { sum += $1 }
         END { exit bad || NR < 2 || total == 0 || sum != total }' "$scratch/counts" ||
        fail "$1" "counts do not add up (read, grouped, singletons, superseded, rejected):
$(cat "$scratch/counts")"

    local read grouped singletons superseded rejected
    read -r read grouped singletons superseded rejected <"$scratch/counts"
    [[ $(rows "$out/matches.csv") -eq $((read - superseded - rejected)) ]] ||
        fail "$1" "matches.csv has $(rows "$out/matches.csv") records of $read"
    [[ $(rows "$out/errors.csv") -ge $rejected ]] ||
        fail "$1" "errors.csv has $(rows "$out/errors.csv") rows for $rejected rejected records"
    awk -F, -v grouped="$grouped" -v singletons="$singletons" '
        NR > 1 && $2 == 1 { single++ } NR > 1 && $2 > 1 { several += $2 }
        END { exit several != grouped || single != singletons }' "$out/groups.csv" ||
        fail "$1" "the sizes in groups.csv are not those of the report"
    local input
    input=$(awk 'FNR > 1' "$examples/${1%%.*}"/[!t]*.csv | wc -l)
    [[ $input -eq $read ]] || fail "$1" "the files have $input records, the report $read"
}

check_same_bytes() { # NAME
    "$KINDRED" match "$examples/${1%%.*}/$1.yaml" -o "$scratch/$1.again" --pairs --quiet \
        --workers 3 --threads 1
    local file
    for file in matches groups pairs errors; do
        cmp -s "$scratch/$1/$file.csv" "$scratch/$1.again/$file.csv" ||
            fail "$1" "$file.csv differs with 3 workers and one thread"
    done
    [[ ! -e $scratch/$1/model.json ]] || cmp -s "$scratch/$1/model.json" "$scratch/$1.again/model.json" ||
        fail "$1" "another model with 3 workers"
}

wanted=" $* "
ran=0
while read -r name line least; do
    [[ -n $name ]] || continue
    [[ $# -eq 0 || $wanted == *" $name "* ]] || continue
    ran=$((ran + 1))
    if ! "$KINDRED" match "$examples/${name%%.*}/$name.yaml" -o "$scratch/$name" --pairs --quiet; then
        fail "$name" "kindred match"
        continue
    fi
    check_quality "$name" "$line" "$least"
    check_counts "$name"
    check_same_bytes "$name"
done <<<"$bundled"

# The other examples have no data here; their files are checked.
for workflow in "$examples"/*/*.yaml; do
    "$KINDRED" match --check "$workflow" >/dev/null || fail "$workflow" "kindred match --check"
done

[[ $ran -gt 0 ]] || fail "arguments" "no such example: $*"
[[ $failures -eq 0 ]] || exit 1

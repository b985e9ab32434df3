# shellcheck shell=bash
# What the tests of the program share; sourced by them. They need bash, coreutils, awk, grep, cmp, and
#   KINDRED       the program
#   KIN_GENERATE  the generator of invented records
# A test works in $scratch, calls `fail` for each thing that is wrong, and ends with `finish`.

set -u
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${KINDRED:?the kindred program}"
KINDRED=$(realpath "$KINDRED")
failures=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kindred-test-XXXXXX")
# so that a case may give up root's rights, for which no file is unreadable
chmod 755 "$scratch"

clean_up() {
    local pid
    for pid in $(jobs -p); do
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    chmod -R u+rwx "$scratch" 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    printf 'FAIL: %s\n' "$*" >&2
    failures=$((failures + 1))
    if ((failures >= 50)); then
        echo 'FAIL: and that is enough' >&2
        exit 1
    fi
}

finish() {
    if ((failures)); then
        printf '%d failures\n' "$failures" >&2
        exit 1
    fi
    printf '%s: fine\n' "$1"
    exit 0
}

generate() { # DIR RECORDS SEED [OPTIONS]
    local dir=$1 records=$2 seed=$3
    shift 3
    "${KIN_GENERATE:?the generator}" --records "$records" --seed "$seed" --out "$dir" "$@" || exit 1
}

# A CSV with one record a line: line ends inside quotes become \n and \r, and tabs \t.
csv_records() {
    awk '{ record = record $0
           gsub(/\r/, "\\r", record); gsub(/\t/, "\\t", record)
           if (gsub(/"/, "\"", record) % 2) { record = record "\\n"; next }
           print record; record = "" }
         END { if (record != "") print record }' "$1"
}

csv_count() { # records without the header
    csv_records "$1" | awk 'END { print (NR > 0 ? NR - 1 : "no header in") }'
}

report_number() { # REPORT.JSON KEY: a number at the top
    awk -v key="  \"$2\":" 'index($0, key) == 1 { gsub(/[^0-9]/, "", $2); print $2; exit }' "$1"
}

# Nothing is lost and nothing counted twice, in the whole and in each source.
check_accounts() { # DIR LABEL
    local report=$1/report.json label=$2 groups read grouped singletons superseded rejected
    read=$(report_number "$report" read)
    grouped=$(report_number "$report" grouped)
    singletons=$(report_number "$report" singletons)
    superseded=$(report_number "$report" superseded)
    rejected=$(report_number "$report" rejected)
    if [ -z "$read" ] || [ -z "$rejected" ]; then
        fail "$label: report.json has no counts"
        return
    fi
    ((read == grouped + singletons + superseded + rejected)) ||
        fail "$label: read $read, but $grouped + $singletons + $superseded + $rejected accounted for"
    [ "$(csv_count "$1/errors.csv")" = "$rejected" ] ||
        fail "$label: $(csv_count "$1/errors.csv") rows in errors.csv, $rejected rejected"
    [ "$(csv_count "$1/matches.csv")" = $((grouped + singletons)) ] ||
        fail "$label: $(csv_count "$1/matches.csv") rows in matches.csv, $grouped grouped and $singletons singletons"
    groups=$(awk '/^    "of_two_or_more":/ { gsub(/[^0-9]/, ""); print; exit }' "$report")
    [ "$(csv_count "$1/groups.csv")" = $((groups + singletons)) ] ||
        fail "$label: $(csv_count "$1/groups.csv") rows in groups.csv, $groups groups and $singletons singletons"
    awk -v read="$read" -v rejected="$rejected" '
        /^    \{/ { inside = 1 }
        /^  \]/ { exit }
        inside && /^      "/ { key = $1; gsub(/[^a-z]/, "", key); gsub(/[^0-9]/, "", $2); n[key] += $2; one[key] = $2 }
        /^    \}/ && one["read"] != one["grouped"] + one["singletons"] + one["superseded"] + one["rejected"] { bad = 1 }
        END { exit bad || n["read"] != read || n["rejected"] != rejected }' "$report" ||
        fail "$label: the sources of report.json do not add up"
}

same_file() { # A B LABEL
    cmp -s "$1" "$2" || fail "$3: $(cmp "$1" "$2" 2>&1)"
}

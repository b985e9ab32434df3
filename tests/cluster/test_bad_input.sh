#!/usr/bin/env bash
# Malformed input of every kind, and what exactly is said about it: the cases are in
# tests/data/bad/cases.txt (its head says how they are written), the tables of docs/bad-input.md are
# made from them, and this runs them all and compares both.
#
#   test_bad_input.sh              run all cases, then compare the document
#   test_bad_input.sh NAME...      run these cases
#   test_bad_input.sh --record     run all, and print the cases with the outcomes that were found
#   test_bad_input.sh --document   print the document with its tables made anew
. "$(dirname "$0")/lib_run.sh"

cases=$here/../data/bad/cases.txt
document=$here/../../docs/bad-input.md
mode=run
only=" "
case ${1-} in
--record | --document) mode=${1#--} ;;
*) only=" $* " ;;
esac

# ---- what a case may use to make its input ----

# write FILE TEXT: TEXT with \n, \0 and so on
write() { printf '%b' "$2" >"$1"; }
crm() { write crm.csv "$1"; }
jsonl() {
    write crm.jsonl "$1"
    swap crm.csv crm.jsonl
}
# swap OLD NEW: in the workflow file
swap() {
    local text
    text=$(<w.yaml)
    [[ $text == *"$1"* ]] || return 1
    printf '%s\n' "${text/"$1"/"$2"}" >w.yaml
}
workflow() { write w.yaml "$1"; }
# repeat TEXT TIMES
repeat() {
    local text
    printf -v text '%*s' "$2" ''
    printf '%s' "${text// /"$1"}"
}
# a good source, in $1 if given
good() { write "${1:-crm.csv}" 'id,name,email\n1,Ann,a@x.org\n2,Bob,a@x.org\n3,Cy,c@x.org\n'; }
# a zstd frame of stored blocks: stored_zst FROM TO
stored_zst() {
    local n
    n=$(($(wc -c <"$1")))
    ((n < 131072)) || return 1
    n=$((n << 3 | 1))
    write "$2" '\x28\xb5\x2f\xfd\x00\x58'
    printf "\\x$(printf %02x $((n & 255)))\\x$(printf %02x $((n >> 8 & 255)))\\x$(printf %02x $((n >> 16)))" >>"$2"
    cat "$1" >>"$2"
}
kindred() { "$KINDRED" "$@" >/dev/null 2>&1; }
# flip FILE OFFSET: another byte there
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N1 "$1")
    printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
# a run that is stopped in its middle, and holds the state until the case is over
stop_in_the_middle() { # workflow, output, other arguments
    "$KINDRED" match "$@" -q >/dev/null 2>&1 &
    local pid=$!
    until [ -d "$3.state/worker-1" ]; do
        kill -0 $pid 2>/dev/null || return 1
    done
    kill -STOP $pid
}

default_workflow='kindred: 1
workflow: people
fields:
  name: name
  email: email
sources:
  crm: {path: crm.csv, id: id}
rules:
  - Exact(email)
limits: {max_field_bytes: 64, max_record_bytes: 1024}'

# ---- one case ----

reset_case() {
    name='' what='' as_user='' cut='' maybe='' last=100000 stdout=$scratch/stdout
    prepare=() run='match w.yaml -o out' status='' counts='' leaves='' gone='' reports=()
    says=() errors=() prints=() source=()
}

# Root reads everything; a case about rights is run as nobody.
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }

listing() { (shopt -s dotglob nullglob && cd "$1" && printf '%s\n' * .) | sort; }

# "# source,id..." without its header; long rows end in ...
error_rows() {
    csv_records "$1" | awk 'NR > 1 { print (length($0) > 300 ? substr($0, 1, 120) "..." : $0) }' | tr '\000-\010\013-\037' '@'
}

messages() { # of standard error; lines that show the place in the workflow file are left out
    awk -v cut="$cut" -v maybe="$maybe" '/^ +([0-9]+)? \|/ { next }
        maybe != "" && $0 == maybe { next }
        cut != "" && index($0, cut) == 1 { print substr($0, 1, length(cut)) "..."; exit }
        { print (length($0) > 400 ? substr($0, 1, 200) "..." : $0) }' "$1" | tail -n "$last"
}

# Did it say that the state is kept?
kept_state() { grep -qxF 'kindred: what was done is kept in out.state; the same command goes on there' "$scratch/stderr"; }

compare() { # LABEL EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$name: $1:
expected: $2
found:    $3"
}

# In a shell of its own, for what a case does to it.
prepare_and_run() { # DIR [how it is run]
    local line pid
    trap - EXIT
    cd "$1" || exit 1
    shift
    : >"$scratch/unprepared"
    for line in "${prepare[@]-}"; do
        eval "$line" || echo "$line" >>"$scratch/unprepared"
    done
    listing . >"$scratch/before"
    eval "arguments=($run)"
    ${1:+"$@"} timeout -k 1 120 "$KINDRED" ${arguments[@]+"${arguments[@]}"} \
        >"$stdout" 2>"$scratch/stderr" </dev/null
    echo $? >"$scratch/status"
    for pid in $(jobs -p); do
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
}

run_case() {
    local dir=$scratch/case before after found new kind line
    rm -rf "$dir"
    mkdir -m 777 "$dir"
    printf '%s\n' "$default_workflow" >"$dir/w.yaml"
    local run_with=()
    if [ -n "$as_user" ] && [ "$(id -u)" = 0 ]; then
        if ! as_nobody "$KINDRED" --version >/dev/null 2>&1; then
            echo "$name: left out: it needs a user who is not root" >&2
            return
        fi
        run_with=(as_nobody)
    fi
    rm -f "$scratch/status"
    (prepare_and_run "$dir" "${run_with[@]-}") || true
    found=$(cat "$scratch/status" 2>/dev/null)
    before=$(<"$scratch/before")
    if [ -s "$scratch/unprepared" ]; then
        fail "$name: cannot prepare: $(<"$scratch/unprepared")"
        return
    fi
    chmod -R u+rwx "$dir"
    after=$(listing "$dir")
    new=$(comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after") | tr '\n' ' ')
    eval "set -- $run"
    kind='no run'
    [[ ${1-} == match && " $* " != *" --check "* && $found != 2 ]] && kind=run
    if [ "$mode" = record ]; then
        record_case "$found" "$kind" "$new"
        return
    fi
    compare 'exit status' "$status" "$found"
    compare 'standard error' "$(printf '%s\n' "${says[@]-}")" "$(messages "$scratch/stderr")"
    [ ${#prints[@]} = 0 ] || compare 'standard output' "$(printf '%s\n' "${prints[@]}")" "$(<"$scratch/stdout")"
    compare 'what is gone' "$gone" "$(comm -23 <(printf '%s\n' "$before") <(printf '%s\n' "$after"))"
    # a run that is done leaves the output, one that failed its state, and a refused one nothing
    [ -n "$leaves" ] || case $kind$found in run0 | run3) leaves='out ' ;; run1) kept_state && leaves='out.state ' ;; esac
    [ "$leaves" = nothing ] && leaves=''
    compare 'what is new' "${leaves% }" "${new% }"
    if [ "$kind" = run ] && { [ "$found" = 0 ] || [ "$found" = 3 ]; }; then
        check_accounts "$dir/out" "$name"
        compare 'counts' "$counts" "$(counts_of "$dir/out/report.json")"
        compare 'errors.csv' "$(printf '%s\n' "${errors[@]-}")" "$(error_rows "$dir/out/errors.csv")"
        for line in "${reports[@]-}"; do
            grep -qF -- "$line" "$dir/out/report.json" || fail "$name: report.json has no $line"
        done
    fi
}

counts_of() {
    local key all=''
    for key in read grouped singletons superseded rejected; do
        all+="$(report_number "$1" $key) "
    done
    printf '%s' "${all% }"
}

record_case() { # STATUS KIND NEW
    local line default=''
    printf '%s\n' "${source[@]}"
    echo "  exit $1"
    messages "$scratch/stderr" | awk '{ print "  says" ($0 == "" ? "" : " " $0) }'
    [ ${#prints[@]} = 0 ] || awk '{ print "  prints " $0 }' "$scratch/stdout"
    case $2$1 in run0 | run3) default='out' ;; run1) kept_state && default='out.state' ;; esac
    [ "${3% }" = "$default" ] || echo "  leaves ${3:-nothing}"
    if [ "$2" = run ] && { [ "$1" = 0 ] || [ "$1" = 3 ]; }; then
        echo "  counts $(counts_of "$scratch/case/out/report.json")"
        error_rows "$scratch/case/out/errors.csv" | awk '{ print "  error " $0 }'
    fi
    echo
}

# ---- the document ----

# Text in a table's cell, as code.
code() {
    local text=$1 fence='`'
    while [[ $text == *"$fence"* ]]; do fence+='`'; done
    [[ $text == '`'* || $text == *'`' ]] && text=" $text "
    text=${text//|/\\|}
    printf '%s%s%s' "$fence" "$text" "$fence"
}

table_row() {
    local said='' rows='' line
    for line in "${says[@]-}"; do
        [ -n "$line" ] && said+="${said:+<br>}$(code "$line")"
    done
    [ -z "$maybe" ] || said+="<br>and, if records were taken in by then, $(code "$maybe")"
    for line in "${prints[@]-}"; do
        [ -n "$line" ] && said+="${said:+<br>}$(code "$line")"
    done
    for line in "${errors[@]-}"; do
        [ -n "$line" ] && rows+="${rows:+<br>}$(code "$line")"
    done
    printf '| %s | %s | %s | %s | %s |\n' "$what" "$status" "$said" "${counts// / }" "$rows"
}

make_tables() { # one file a section, in $scratch/tables
    mkdir -p "$scratch/tables"
    each_case table_case
}

table_case() {
    local file="$scratch/tables/$section"
    [ -e "$file" ] || printf '%s\n%s\n' \
        '| input | exit | what is said | read, grouped, single, superseded, rejected | `errors.csv` |' \
        '| --- | --- | --- | --- | --- |' >"$file"
    table_row >>"$file"
}

# The document with the tables of its sections in the place of those it has.
make_document() {
    local line at='' shown=''
    while IFS= read -r line; do
        case $line in
        '## '*) at=${line#\#\# } shown='' ;;
        '|'*)
            if [ -e "$scratch/tables/$at" ]; then
                [ -n "$shown" ] || cat "$scratch/tables/$at"
                shown=yes
                continue
            fi
            ;;
        esac
        printf '%s\n' "$line"
    done <"$document"
}

check_document() {
    local file count
    make_tables
    make_document >"$scratch/document"
    same_file "$scratch/document" "$document" "docs/bad-input.md differs from cases.txt (make it anew: $0 --document)"
    for file in "$scratch"/tables/*; do
        grep -qxF "## ${file##*/}" "$document" || fail "docs/bad-input.md has no section '${file##*/}'"
    done
    count=$(cat "$scratch"/tables/* | grep -c -v -e '^| input |' -e '^| --- |')
    ((count >= 50)) || fail "only $count cases"
    [ "$(grep -c -e '^| ' "$document")" = $((count + 2 * $(ls "$scratch/tables" | wc -l))) ] ||
        fail 'docs/bad-input.md has other tables, or a table is missing'
}

# ---- the list of cases ----

each_case() { # FUNCTION
    local line text
    section=
    reset_case
    while IFS= read -r line || [ -n "$line" ]; do
        text=${line#  * }
        case $line in
        '# '* | '#') ;;
        '## '*)
            [ -z "$name" ] || "$1"
            reset_case
            section=${line#\#\# }
            [ "$mode" != record ] || printf '%s\n\n' "$line"
            ;;
        '') ;;
        '  '*)
            text=${line#  }
            text=${text#* }
            case $line in
            '  $ '*) prepare+=("$text") ;;
            '  run') run= ;;
            '  run '*) run=$text ;;
            '  maybe '*) maybe=$text ;;
            '  last '*) last=$text ;;
            '  stdout '*) stdout=$text ;;
            '  user') as_user=yes ;;
            '  cut '*) cut=$text ;;
            '  exit '*) status=$text ;;
            '  says') says+=('') ;;
            '  says '*) says+=("$text") ;;
            '  prints '*) prints+=("$text") ;;
            '  gone '*) gone=$text ;;
            '  leaves '*) leaves=$text ;;
            '  counts '*) counts=$text ;;
            '  error '*) errors+=("$text") ;;
            '  reports '*) reports+=("$text") ;;
            *)
                echo "cases.txt: unknown line: $line" >&2
                exit 1
                ;;
            esac
            case $line in
            '  $ '* | '  run' | '  run '* | '  user' | '  cut '* | '  maybe '* | '  last '* | '  stdout '* | '  reports '* | '  gone '*) source+=("$line") ;;
            esac
            ;;
        *' | '*)
            [ -z "$name" ] || "$1"
            reset_case
            name=${line%% *}
            what=${line#*' | '}
            source=("$line")
            ;;
        *)
            echo "cases.txt: unknown line: $line" >&2
            exit 1
            ;;
        esac
    done <"$cases"
    [ -z "$name" ] || "$1"
}

ran=0
run_selected() {
    if [ "$only" = '  ' ] || [ "$mode" = record ] || [[ $only == *" $name "* ]]; then
        run_case
        ran=$((ran + 1))
    fi
}

case $mode in
document)
    make_tables
    make_document
    ;;
record) each_case run_selected ;;
run)
    each_case run_selected
    ((ran > 0)) || fail 'no such case'
    [ "$only" != '  ' ] || check_document
    finish "$ran cases of bad input"
    ;;
esac

#!/usr/bin/env bash
# report.html in a real browser: no script error, no word on the console, no request to anywhere; the
# charts are there with the numbers of report.json, and what records and workflows contain stays text.
# Skipped where there is no Chromium. KIN_SHOTS=DIR keeps screenshots there, to be looked at.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/cluster/lib_run.sh
. "$here/lib_run.sh"
browser=$(realpath "$here/browser.py")
cd "$scratch" || exit 1

if ! command -v python3 >/dev/null; then
    echo 'skipped: there is no python3'
    exit 77
fi

visit() { # PAGE OPTIONS...: the browser's JSON in ./seen
    local status
    python3 "$browser" "$@" >seen
    status=$?
    if [ $status -eq 77 ]; then
        echo 'skipped: there is no Chromium'
        exit 77
    fi
    [ $status -eq 0 ] || fail "$1: the browser failed"
}

seen() { # PYTHON OVER s, THE JSON, AND r, THE REPORT: must be true
    python3 - "$2" "$1" <<'PYTHON' || fail "$2: not so: $1"
import json, sys
s = json.load(open("seen"))
r = json.load(open(sys.argv[1] + "/report.json"))
good = eval(sys.argv[2])
if not good:
    print(json.dumps(s)[:2000], file=sys.stderr)
sys.exit(0 if good else 1)
PYTHON
}

# What a reader sees: the numbers by where they stand.
facts='(() => {
    const numbers = where => [...document.querySelectorAll(where)].map(e => Number(e.value));
    const rows = where => document.querySelectorAll(where + " tbody tr").length;
    return {
        title: document.title,
        heading: document.querySelector("h1").textContent,
        totals: numbers("#sources tfoot data"),
        sources: rows("#sources"),
        tiles: numbers(".tiles data"),
        keys: rows("#keys"),
        keyNames: [...document.querySelectorAll("#keys tbody th code")].map(e => e.textContent),
        pairs: [...document.querySelectorAll("#keys tbody tr")].map(e => Number(e.querySelector("data").value)),
        blocks: [...document.querySelectorAll("#blocking tbody th")].map(e => e.textContent),
        reasons: numbers("#reasons data"),
        thresholds: numbers("#threshold-table data"),
        bars: document.querySelectorAll("#histogram g").length,
        cuts: document.querySelectorAll("#histogram .cut").length,
        levels: rows("#weights"), mu: rows("#mu"),
        doubts: document.querySelectorAll(".doubts li").length,
        scripts: document.scripts.length,
        handlers: document.querySelectorAll("[onload], [onerror], [onclick], b i, img, iframe").length,
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        bytes: document.documentElement.outerHTML.length};
})()'

check_page() { # DIR
    visit "$1/report.html" --evaluate "$facts"
    seen 's["errors"] == [] and s["requests"] == []' "$1"
    seen 's["value"]["scripts"] == 0 and s["value"]["handlers"] == 0 and s["value"]["wide"] <= 0' "$1"
    seen 's["value"]["heading"] == r["workflow"] and s["value"]["title"].startswith(r["workflow"])' "$1"
    seen 's["value"]["totals"] == [r[k] for k in ("read", "grouped", "singletons", "superseded", "rejected")]' "$1"
    seen 's["value"]["sources"] == len(r["sources"])' "$1"
    seen 's["value"]["tiles"] == [r["grouped"] + r["singletons"], r["groups"]["of_two_or_more"], r["groups"]["largest"], r["pairs_compared"], r["pairs_matched"]]' "$1"
    seen 's["value"]["pairs"] == [k["pairs"] for k in r["keys"]]' "$1"
    seen '[n.split(" ")[0] for n in s["value"]["keyNames"]] == [k["key"].split(" ")[0] for k in r["keys"]]' "$1"
    seen 's["value"]["reasons"] == [k["rows"] for k in r["rejected_by_reason"]]' "$1"
    seen 'sum(k["rows"] for k in r["rejected_by_reason"]) == r["rejected"]' "$1"
    seen 's["value"]["bytes"] < 300000' "$1"
}

check_model() { # DIR
    seen 's["value"]["bars"] == len(r["model"]["weights"]) > 5' "$1"
    seen 's["value"]["cuts"] == len(r["model"]["thresholds"])' "$1"
    seen 's["value"]["thresholds"] == [t[k] for t in r["model"]["thresholds"] for k in ("pairs", "groups", "grouped", "largest")]' "$1"
    seen 'next(t for t in r["model"]["thresholds"] if t["primary"])["groups"] == r["groups"]["of_two_or_more"]' "$1"
    seen 's["value"]["levels"] == s["value"]["mu"] + 1 > 3' "$1"
    seen 's["value"]["doubts"] == len(json.load(open(sys.argv[1] + "/model.json"))["doubts"])' "$1"
}

# ---- the driver sees what it is there to see ----

cat >bad.html <<'HTML'
<!DOCTYPE html><meta charset="utf-8"><title>bad</title><link rel="icon" href="data:,">
<img src="http://127.0.0.1:9/x.png"><script>console.log("hello"); nothing.is.here()</script>
HTML
visit bad.html
mkdir empty && echo '{}' >empty/report.json
seen 'len(s["requests"]) == 1 and any("hello" in e for e in s["errors"]) and any("nothing" in e for e in s["errors"])' empty

# ---- records, names and files that would like to be markup ----

evil='<script>alert(1)</script><img src=x onerror=alert(2)>'
{
    printf 'id,name,town,born\n'
    for i in {1..40}; do
        printf '%d,"%s ""q"" %d",<b><i>Ulm</i></b>,1970-01-%02d\n' "$i" "$evil" $((i % 9)) $((i % 28 + 1))
    done
    printf 'x\n41,"broken" y,z,w\n42,%s,&amp;,no date\n' "'"
} >evil.csv
cat >evil.yaml <<'YAML'
kindred: 1
workflow: evil
fields: {name: text, town: text, born: date}
sources: {crm: {path: evil.csv, id: id}}
rules:
  - Levenshtein(name, 1) AND Exact(town)
block_on:
  - [town]
  - [name]
limits: {max_block: 20, window: 5}
YAML
"$KINDRED" match evil.yaml -o evil -q || fail 'evil: match'
check_page evil
seen 'any("<i>ulm" in b.lower() or "ulm" in b.lower() for b in s["value"]["blocks"])' evil
seen 'r["rejected"] == 2 and len(r["rejected_by_reason"]) == 2' evil

# a report.json that somebody else wrote
mkdir lies
python3 - evil/report.json lies/report.json <<'PYTHON'
import json, sys
r = json.load(open(sys.argv[1]))
evil = "</title></style><script>alert(3)</script><b><i>\"'<!--"
r["workflow"] = evil
r["sources"][0]["source"] = evil
r["keys"][0]["key"] = evil
r["rejected_by_reason"][0]["reason"] = evil
r["seconds"][evil] = 1
json.dump(r, open(sys.argv[2], "w"))
PYTHON
"$KINDRED" report lies || fail 'lies: report'
check_page lies

# ---- a model, and several thresholds ----

cp "$KIN_SOURCE_DIR/examples/splink_fake1000/records.csv" people.csv
sed -e 's#path: records.csv#path: people.csv#' \
    "$KIN_SOURCE_DIR/examples/splink_fake1000/splink_fake1000.model.yaml" >model.yaml
sed -e "s#^model:#model:\n  thresholds: [0.999, 0.9, 0.5]\n  primary: 0.9#" model.yaml >several.yaml
"$KINDRED" match model.yaml -o model -q || fail 'model: match'
check_page model
check_model model
"$KINDRED" match several.yaml -o several -q --workers 3 --threads 2 || fail 'several: match'
check_page several
check_model several
seen 'len(r["model"]["thresholds"]) == 3' several

# The same facts from one worker, and the same page again from the same files: byte for byte.
"$KINDRED" match several.yaml -o single -q --workers 1 --threads 1 || fail 'single: match'
facts_of() { awk '/^  "seconds": \{/ { exit } { print }' "$1/report.json"; }
page_of() { awk '/^<section id="time">/ { exit } { print }' "$1/report.html"; }
cmp -s <(facts_of several) <(facts_of single) || fail 'report.json tells other facts with one worker'
cmp -s <(page_of several) <(page_of single) || fail 'report.html shows other facts with one worker'
cp several/report.html first.html
"$KINDRED" report several || fail 'several: report'
cmp -s first.html several/report.html || fail 'kindred report writes another page'
"$KINDRED" report several/ -o elsewhere.html || fail 'several: report -o'
cmp -s first.html elsewhere.html || fail 'kindred report -o writes another page'

# A model that is read from a file is shown, too, and kept with the result.
sed -e "s#^model:#model:\n  file: model/model.json#" model.yaml >file.yaml
"$KINDRED" match file.yaml -o file -q || fail 'file: match'
check_page file
check_model file
cmp -s model/model.json file/model.json || fail 'the model of a file is not the one in the result'

# ---- pairs step by step, which need the workflow ----

"$KINDRED" match several.yaml -o chosen --pairs -q || fail 'chosen: match'
"$KINDRED" report chosen several.yaml || fail 'chosen: report'
visit chosen/report.html --evaluate '[...document.querySelectorAll(".waterfall")].map(t =>
    [...t.querySelectorAll("tbody tr")].map(r => r.lastElementChild.textContent.replace("−", "-")).pop())'
seen 's["errors"] == [] and s["requests"] == []' chosen
lightest=$(awk -F, 'NR > 1 && $5 != "" { print $5 }' chosen/pairs.csv | sort -n | head -n 1)
heaviest=$(awk -F, 'NR > 1 && $5 != "" { print $5 }' chosen/pairs.csv | sort -n | tail -n 1)
seen "len(s['value']) == 3 and abs(float(s['value'][0]) - $lightest) < 0.006 and abs(float(s['value'][2]) - $heaviest) < 0.006" chosen
"$KINDRED" report evil evil.yaml 2>stderr && fail 'chosen pairs of rules alone: no error'
"$KINDRED" report several several.yaml 2>stderr && fail 'chosen pairs without pairs.csv: no error'

# ---- what cannot be ----

for bad in '' nowhere evil/report.json; do
    # shellcheck disable=SC2086
    "$KINDRED" report $bad >stdout 2>stderr && fail "report $bad: no error"
    [ -s stderr ] || fail "report $bad: says nothing"
done
mkdir damaged && echo '{"read": 1}' >damaged/report.json
"$KINDRED" report damaged 2>stderr && fail 'a damaged report.json: no error'
grep -q 'report.json' stderr || fail 'a damaged report.json is not named'
[ "$(ls damaged)" = report.json ] || fail 'a damaged report.json: a page was left'

if [ -n "${KIN_SHOTS-}" ]; then
    mkdir -p "$KIN_SHOTS"
    for shot in evil several chosen; do
        visit "$shot/report.html" --screenshot "$KIN_SHOTS/$shot.png"
        visit "$shot/report.html" --screenshot "$KIN_SHOTS/$shot-dark.png" --dark
        visit "$shot/report.html" --screenshot "$KIN_SHOTS/$shot-narrow.png" --width 420
    done
fi
finish report_html

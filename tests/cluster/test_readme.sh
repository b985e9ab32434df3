#!/usr/bin/env bash
# The example of README.md works as printed: its two sources and its workflow file give the two outputs
# that it shows, byte for byte.
set -euo pipefail

: "${KINDRED:?the path of the kindred binary}"
KINDRED=$(realpath "$KINDRED")
readme=$(realpath "$(dirname "$0")/../../README.md")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir data

block() { # LANGUAGE N: the n-th fenced block of that language
    awk -v fence="\`\`\`$1" -v n="$2" '
        /^```/ { if (open) { open = 0 } else { open = 1; wanted = $0 == fence && ++seen == n }; next }
        open && wanted' "$readme"
}

block csv 1 >data/crm.csv
block jsonl 1 >data/web.jsonl
block yaml 1 >people.yaml
block csv 2 >want_matches
block csv 3 >want_groups
for file in data/crm.csv data/web.jsonl people.yaml want_matches want_groups; do
    [[ -s $file ]] || { echo "README.md has no $file" >&2; exit 1; }
done

"$KINDRED" match people.yaml -o out --quiet
diff -u want_matches out/matches.csv
diff -u want_groups out/groups.csv
[[ $(wc -l <out/errors.csv) -eq 1 ]]

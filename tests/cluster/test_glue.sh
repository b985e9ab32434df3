#!/usr/bin/env bash
# A group over limits.max_group is reported with the values that hold it together, the same for any number of
# workers.
. "$(dirname "$0")/lib_run.sh"
cd "$scratch" || exit 1

# Two sets of people: one shares a telephone number and, most of it, a birthday; the other is a chain by names
# and numbers in turn.
awk 'function word(i) { return sprintf("%c%c%c", 97 + i % 26, 97 + int(i / 26), 98 + i % 7) }
    BEGIN { print "id,name,phone,dob"
    for (i = 1; i <= 60; i++) printf "a%d,%s,020 7946 0958,%s\n", i, word(i), i % 10 ? "1970-01-01" : "1981-02-0" (1 + i / 10)
    for (i = 1; i <= 30; i++) printf "b%d,z%s,0161 496 %04d,\nb%dx,z%s,0161 496 %04d,\n", i, word(i), i, i, word(i), i + 1 }' >people.csv
cat >people.yaml <<'END'
kindred: 1
workflow: glue
sources: {s: {path: people.csv, id: id}}
fields:
  name: name
  phone: {type: phone, country: GB}
  dob: date
block_on: [[phone], [name]]
rules: ["Exact(phone) AND NOT Differs(phone)", Exact(name)]
limits: {max_group: 50}
END
for workers in 1 4; do
    "$KINDRED" match people.yaml -o "out$workers" --workers "$workers" >"summary$workers" 2>stderr ||
        fail "$workers workers: $(cat stderr)"
    awk '/"largest_over_max_group"/, /^    \]/' "out$workers/report.json" | tr -d ' \n' >"glue$workers"
done
same_file glue1 glue4 'what holds groups together, by one worker and by four'
says() { grep -qF -- "$1" glue1 || fail "nothing like $1: $(cat glue1)"; }
says '"size":60,"links":59,"held_together_by":[{"field":"phone","value":"+442079460958","links":59},{"field":"dob","value":"1970-01-01","links":53}'
says '"size":60,"links":59,"held_together_by":[{"field":"name","value":"z'
grep -q "phone '+442079460958': 59 of 59 links" summary1 || fail "the summary: $(cat summary1)"

finish glue

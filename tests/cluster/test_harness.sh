#!/usr/bin/env bash
# The harness of the benchmarks: that it understands what they print, not how fast they are.
. "$(dirname "$0")/lib_run.sh"

harness=$here/../bench/harness
cd "$scratch" || exit 1

bash "$harness" --quick --runs 2 --out bench.json reader normalise compare batch >table 2>log ||
    fail "harness: $(tail -n 3 log)"
for figure in 'reader csv, cutter' 'normalise email' 'compare keys 3, exact weight of every pair' 'batch 5000, match' \
    'batch 5000, resident memory'; do
    grep -qE "^$figure +[0-9.]+  .* 2\$" table || fail "harness: no figure for $figure in the table"
    grep -qE "\"name\":\"$figure\",\"unit\":\"[^\"]+\",\"value\":[0-9.]+,\"median\":[0-9.]+,\"runs\":2,\"values\":\[[0-9.]+,[0-9.]+\]" \
        bench.json || fail "harness: no figure for $figure in the file"
done
grep -qE '^\{"machine":\{"cpu":".+","cores":[0-9]+,"memory_mib":[0-9]+,' bench.json || fail 'harness: no machine in the file'
[ "$(grep -c '"name":' bench.json)" = "$(awk 'NR > 3' table | wc -l)" ] || fail 'harness: table and file differ'

# a benchmark that fails is told, and the others are measured
mkdir -p broken
ln -s "$(dirname "$KIN_GENERATE")/bench_normalise" broken/bench_normalise
printf '#!/bin/sh\necho nothing\n' >broken/bench_reader
chmod +x broken/bench_reader
code=0
KIN_GENERATE=$scratch/broken/kin_generate bash "$harness" --quick --runs 1 --out other.json reader normalise >table 2>log || code=$?
[ "$code" = 1 ] || fail "harness: exit $code where a benchmark failed"
grep -q 'no figures from: .*bench_reader' log || fail 'harness: a benchmark without figures is not told'
grep -q '"name":"normalise email"' other.json || fail 'harness: what follows a failure is not measured'

code=0
bash "$harness" --runs many 2>log || code=$?
[ "$code" = 2 ] || fail "harness --runs many: exit $code"

finish 'the harness of the benchmarks'

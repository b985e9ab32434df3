#!/usr/bin/env bash
# A client of nothing but Python's standard library, written from docs/cluster.md: client.py.
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib_cluster.sh"
command -v python3 >/dev/null || exit 77

printf 'a secret of this test alone\r\n' >"$scratch/secret" # with a line end, which does not count
chmod 600 "$scratch/secret"
py() { timeout 60 python3 "$here/client.py" "$@"; }
is_listening() { grep -q net_listening "$scratch/coordinator.log"; }
begin() { # URL
    url=$1
    start_coordinator
    wait_for 30 is_listening || fail "no coordinator at $url"
}
refused() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$scratch/said" 2>&1 </dev/null; then
        fail "$what: was let in"
    fi
}

for url in "tcp://127.0.0.1:$(free_port)" "unix://$scratch/socket"; do
    begin "$url"
    py "$url" "$scratch/secret" --status >"$scratch/said" 2>&1 || fail "$url: $(cat "$scratch/said")"
    grep -q '"workers_wanted":1' "$scratch/said" || fail "no status: $(cat "$scratch/said")"
    printf 'a secret of somebody else\n' >"$scratch/other"
    refused "another secret" py "$url" "$scratch/other" --status
    grep -q 'refused: 2' "$scratch/said" || fail "another secret: $(cat "$scratch/said")"
    refused "no secret" py "$url" --status
    # an answer says so, or none comes for longer than pings take
    refused "nothing is served" env TIMEOUT=2 timeout 20 python3 "$here/client.py" "$url" "$scratch/secret"
    grep -q 'role=gateway' "$scratch/coordinator.log" || fail "the log does not know of gateways"
    stop_gently coordinator
    forget_all
done

# without a secret, and with records that are served
cp "$here/../bench/people.yaml" "$scratch"
generate "$scratch" 2000 1
printf '%s\n' '{"email":"nobody@nowhere.example"}' '{"first_name":"Ann","last_name":"Lee"}' \
    >"$scratch/ask.jsonl"
"$KINDRED" serve "$scratch/people.yaml" --data "$scratch/live.data" --listen "unix://$scratch/rpc" \
    >"$scratch/serve.out" 2>"$scratch/serve.log" &
server=$!
serves() { grep -q '^listening rpc=' "$scratch/serve.out"; }
wait_for 60 serves || fail "kindred serve: $(tail -n 3 "$scratch/serve.log")"
py "unix://$scratch/rpc" <"$scratch/ask.jsonl" >"$scratch/said" 2>&1 || fail "LOOKUP: $(cat "$scratch/said")"
[ "$(grep -c '"match_id":' "$scratch/said")" = 2 ] || fail "LOOKUP: $(cat "$scratch/said")"
kill -TERM "$server"
wait "$server" || fail "kindred serve ended with $?"
finish test_client_py

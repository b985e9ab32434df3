#!/usr/bin/env bash
# The cluster as its users see it: real daemons, and the commands match --cluster, jobs, attach, cancel and
# status. What comes out is what an embedded run gives, byte for byte, also where clients are killed on the way.
#   KINDRED_COORDINATOR, KINDRED_WORKER   the daemons; default: beside KINDRED
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"

coordinator=$(realpath "${KINDRED_COORDINATOR:-$(dirname "$KINDRED")/kindred-coordinator}")
worker=$(realpath "${KINDRED_WORKER:-$(dirname "$KINDRED")/kindred-worker}")
cd "$scratch" || exit 1

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
port=$((30000 + $$ % 9000))
until port_is_free "$port"; do
    port=$((port + 1))
done
url=tcp://127.0.0.1:$port

mkdir files data
generate data 20000 1
cp "$here/../bench/people.yaml" data
cp -r data files/in
printf 'a secret of this test alone\n' >secret
chmod 600 secret
"$KINDRED" match data/people.yaml -o expected --pairs --quiet || fail "embedded: status $?"

# run STATUS WHAT COMMAND...: in ./said and ./stderr
run() {
    local wanted=$1 what=$2 got=0
    shift 2
    timeout 120 "$@" >said 2>stderr </dev/null || got=$?
    [ "$got" = "$wanted" ] || fail "$what: status $got instead of $wanted: $(head -c 400 said stderr)"
}
says() { # FILE PATTERN WHAT
    grep -qE -- "$2" "$1" || fail "$3: nothing like '$2': $(head -c 400 "$1")"
}
same_result() { # DIR WHAT
    local file
    for file in matches groups pairs errors; do
        same_file "expected/$file.csv" "$1/$file.csv" "$2: $file.csv"
    done
    check_accounts "$1" "$2"
}
wait_for() { # FILE PATTERN WHAT
    local end=$((SECONDS + 60))
    until grep -qE -- "$2" "$1" 2>/dev/null; do
        if ((SECONDS >= end)); then
            fail "$3: nothing like '$2' in time: $(tail -n 3 "$1")"
            return
        fi
        sleep 0.01
    done
}

# ---- command lines ----

run 2 'jobs without a cluster' "$KINDRED" jobs
run 2 'status without a cluster' "$KINDRED" status
run 2 'attach without an output' "$KINDRED" attach 0123456789abcdef --cluster "$url"
run 2 'attach to no job' "$KINDRED" attach -o out --cluster "$url"
run 2 'cancel of what is no job' "$KINDRED" cancel 123 --cluster "$url"
run 2 'an address that is none' "$KINDRED" jobs --cluster 127.0.0.1:7400
run 2 'another machine without a secret' "$KINDRED" jobs --cluster tcp://example.org:7400
run 2 'a secret that is not there' "$KINDRED" jobs --cluster "$url" --secret-file nowhere
run 2 'a time-out that is none' "$KINDRED" jobs --cluster "$url" --timeout 0
for option in '--workers 2' '--threads 2' '--state s' --keep-state --fsync '--match-id-key-file secret'; do
    # shellcheck disable=SC2086
    run 2 "$option with --cluster" "$KINDRED" match data/people.yaml -o out --cluster "$url" $option
    says stderr "${option%% *} .*--cluster" "$option with --cluster"
done
run 2 '--detach without --cluster' "$KINDRED" match data/people.yaml -o out --detach
run 2 '--at-coordinator without --cluster' "$KINDRED" match data/people.yaml -o out --at-coordinator
run 2 '--strict with --detach' "$KINDRED" match data/people.yaml -o out --cluster "$url" --detach --strict
run 1 'no coordinator' "$KINDRED" match data/people.yaml -o out --cluster "$url" --timeout 1
says stderr "$url: no coordinator answers" 'no coordinator'
[ ! -e out ] || fail 'no coordinator: there is an output'

# ---- daemons ----

pids=()
start_coordinator() {
    "$coordinator" --listen "$url" --data c --workers 2 --files "$scratch/files" --secret-file secret \
        --threads 2 2>>c.log &
    pids[0]=$!
}
start_worker() { # N
    "$worker" --coordinator "$url" --data "w$1" --name "w$1" --secret-file secret --threads 2 2>>"w$1.log" &
    pids[$1]=$!
}
start_coordinator
start_worker 1

export KINDRED_CLUSTER=$url KINDRED_SECRET_FILE=$scratch/secret
run 0 'status' "$KINDRED" status
printf 'another secret, of nobody here\n' >other
run 1 'another secret' "$KINDRED" match data/people.yaml -o out --secret-file other
says stderr 'another secret' 'another secret'
run 1 'no secret' env -u KINDRED_SECRET_FILE "$KINDRED" jobs
says stderr 'asks for a secret' 'no secret'

for ((i = 0; i < 500; i++)); do
    "$KINDRED" status --worker w1 >/dev/null && break
    sleep 0.02
done
run 0 'a worker that is there' "$KINDRED" status --worker w1
run 1 'a worker that is not there' "$KINDRED" status --worker w2
run 0 'no jobs' "$KINDRED" jobs
says said '^no jobs$' 'no jobs'

# A job waits for two workers; meanwhile its client gives up, and asks again.
"$KINDRED" match data/people.yaml -o out --pairs --log json >said 2>steps &
client=$!
wait_for steps '"job_(queued|running)"' 'a job that waits'
kill -INT "$client"
wait "$client"
[ $? = 1 ] || fail 'SIGINT: not status 1'
says steps 'stopped by signal 2; job [0-9a-f]{16} goes on in the cluster' 'SIGINT'
job=$(sed -n 's/.*job \([0-9a-f]\{16\}\) goes on.*/\1/p' steps)
run 0 'jobs' "$KINDRED" jobs
says said "^$job  people +(queued|running: join)" 'jobs'
start_worker 2
run 0 'the same command' "$KINDRED" match data/people.yaml -o out --pairs
says said '^people: .* s in the cluster$' 'the summary'
says said 'out/matches.csv  groups.csv' 'the summary'
same_result out 'the same command'
[ "$(grep -c '"event":"job_submitted"' c.log)" = 1 ] || fail 'the same command: another job'
run 0 'jobs' "$KINDRED" jobs
says said "^$job  people +done" 'jobs'
run 0 'status' "$KINDRED" status
says said '^cluster [0-9a-f]{16}, version .*2 workers joined' 'status'
says said '^ +[0-9]+  w2 +joined' 'status'
run 0 'status --json' "$KINDRED" status --json
says said "^\{.*\"job\":\"$job\".*\}$" 'status --json'

# what an embedded run says is said of a job on the cluster, but for its time and place
summary() { sed -e '/^people:/d' -e 's/  [0-9.]* million a second//' -e 's/out[a-z.]*/OUT/' "$1"; }
"$KINDRED" match data/people.yaml -o out --pairs >said
summary said >summary.cluster
env -u KINDRED_CLUSTER "$KINDRED" match data/people.yaml -o out.embedded --pairs >said
summary said >summary.embedded
same_file summary.embedded summary.cluster 'the summary'

run 0 '--quiet' "$KINDRED" match data/people.yaml -o out --pairs --quiet
[ ! -s said ] && [ ! -s stderr ] || fail "--quiet: not silent: $(head -n 3 said stderr)"
run 0 '--strict' "$KINDRED" match data/people.yaml -o out --pairs --strict
awk 'NR == 9 { print "short,row" } 1' data/people.csv >data/bad.csv
sed 's/people\.csv/bad.csv/' data/people.yaml >data/bad.yaml
run 3 '--strict with a bad row' "$KINDRED" match data/bad.yaml -o out.bad --strict
env -u KINDRED_CLUSTER "$KINDRED" match data/bad.yaml -o bad --quiet
same_file bad/errors.csv out.bad/errors.csv 'errors.csv names the files as an embedded run does'

# ---- detached ----

run 0 '--detach' "$KINDRED" match data/people.yaml -o detached --pairs --detach
job=$(cat said)
[[ $job =~ ^[0-9a-f]{16}$ ]] || fail "--detach says: $(cat said)"
[ ! -e detached ] || fail '--detach: there is an output'
run 0 'attach' "$KINDRED" attach "$job" -o attached
says said 'attached/matches.csv' 'attach'
same_result attached 'attach'
run 1 'attach, once more' "$KINDRED" attach "$job" -o attached
run 1 'attach to a job that never was' "$KINDRED" attach 0123456789abcdef -o attached
says stderr 'no job 0123456789abcdef' 'attach to a job that never was'
same_result attached 'an earlier result stays'

# ---- cancelled ----

kill -STOP "${pids[1]}" # so that it is still running
run 0 '--detach' "$KINDRED" match data/people.yaml -o cancelled --pairs --detach
job=$(cat said)
"$KINDRED" match data/people.yaml -o cancelled --pairs >watched 2>&1 &
client=$!
run 0 'cancel' "$KINDRED" cancel "$job"
says said "^job $job: cancelled$" 'cancel'
kill -CONT "${pids[1]}"
wait "$client"
[ $? = 1 ] || fail 'a job that was cancelled: not status 1'
says watched 'was cancelled' 'a job that was cancelled'
[ ! -e cancelled ] || fail 'a job that was cancelled: there is an output'
run 0 'jobs' "$KINDRED" jobs
says said "^$job  people +cancelled" 'jobs'
run 1 'cancel of a job that never was' "$KINDRED" cancel 0123456789abcdef
run 0 'the same command after a cancel' "$KINDRED" match data/people.yaml -o cancelled --pairs --quiet
same_result cancelled 'the same command after a cancel'

# ---- at the coordinator ----

run 0 '--at-coordinator' "$KINDRED" match files/in/people.yaml -o files/out --pairs --at-coordinator
same_result files/out '--at-coordinator'
(cd files/in && "$KINDRED" match ./people.yaml -o ../in/../again --pairs --at-coordinator --quiet) ||
    fail "--at-coordinator with relative paths: status $?"
same_result files/again '--at-coordinator with relative paths'
run 1 '--at-coordinator elsewhere' "$KINDRED" match data/people.yaml -o files/out --at-coordinator
says stderr '--files' '--at-coordinator elsewhere'

# ---- clients that are killed ----

# With much to send and to fetch, so that there is time to.
awk -F, 'NR == 1 { print $0 ",notes"; next }
         { while (length(notes) < 1500) notes = notes "note " NR " "; print $0 "," notes; notes = "" }' \
    data/people.csv >data/wide.csv
sed 's/people\.csv/wide.csv/' data/people.yaml >data/wide.yaml
env -u KINDRED_CLUSTER "$KINDRED" match data/wide.yaml -o wide --pairs --quiet
same_wide() { # DIR WHAT
    local file
    for file in matches groups pairs errors; do
        same_file "wide/$file.csv" "$1/$file.csv" "$2: $file.csv"
    done
}
for event in net_up job_submitted sources_sending job_running results_fetching; do
    for ((round = 0; round < 2; round++)); do
        dir=killed.$event.$round
        "$KINDRED" match data/wide.yaml -o "$dir" --pairs --log json >/dev/null 2>"$dir.log" &
        client=$!
        wait_for "$dir.log" "\"event\":\"($event|job_done)\"" "a client to be killed at $event"
        ((round)) && sleep 0.0$((RANDOM % 10))
        kill -9 "$client"
        wait "$client" 2>/dev/null
        if [ -e "$dir" ]; then
            same_wide "$dir" "killed at $event"
        fi
        run 0 "after a kill at $event" "$KINDRED" match data/wide.yaml -o "$dir" --pairs --quiet
        same_wide "$dir" "after a kill at $event"
        [ ! -e ".$dir.partial" ] || fail "killed at $event: something is left behind"
    done
done

# ---- a coordinator that is killed under its client ----

for event in sources_sending job_running results_fetching; do
    dir=under.$event
    "$KINDRED" match data/wide.yaml -o "$dir" --pairs --log json >/dev/null 2>"$dir.log" &
    client=$!
    wait_for "$dir.log" "\"event\":\"($event|job_done)\"" "a coordinator to be killed at $event"
    kill -9 "${pids[0]}"
    wait "${pids[0]}" 2>/dev/null
    start_coordinator
    wait "$client"
    status=$?
    [ $status = 0 ] || fail "a coordinator killed at $event: status $status: $(tail -n 2 "$dir.log")"
    same_wide "$dir" "a coordinator killed at $event"
done

# ---- two at once ----

"$KINDRED" match data/people.yaml -o one --pairs --quiet 2>one.err &
one=$!
"$KINDRED" match data/wide.yaml -o two --pairs --quiet 2>two.err &
two=$!
wait "$one" || fail "the first of two: status $?: $(cat one.err)"
wait "$two" || fail "the second of two: status $?: $(cat two.err)"
same_result one 'the first of two'
same_wide two 'the second of two'

# The same job twice at the same time: at least one sees it through, and what is in place is whole.
"$KINDRED" match data/people.yaml -o twice --pairs --quiet 2>one.err &
one=$!
"$KINDRED" match data/people.yaml -o twice --pairs --quiet 2>two.err
first=$?
wait "$one"
second=$?
[ $first = 0 ] || [ $second = 0 ] || fail "the same job twice: $(cat one.err two.err)"
same_result twice 'the same job twice'

# ---- the end ----

for pid in "${pids[@]}"; do
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    [ $status = 0 ] || fail "a daemon ends with $status: $(tail -n 2 c.log w1.log w2.log)"
done
finish cluster_cli

#!/usr/bin/env bash
# The image and docker-compose.yml, for real: builds the image of this source tree, brings a cluster up, and
# compares what comes out of it, byte for byte, with the embedded run: undisturbed, with containers killed in
# mid-job, and after scaling. Exit status 77 where no engine can be had (tools/compose-engine says why).
#   KIN_CACHE     where the base image is kept from run to run
#   KIN_RECORDS   of the larger job; default 200000
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ "${1-}" != with-engine ]; then
    # less than the time that ctest gives, so that what was started is stopped in order
    exec timeout --kill-after=60 800 "$source_dir/tools/compose-engine" bash "${BASH_SOURCE[0]}" with-engine
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"

records=${KIN_RECORDS:-200000}
project=kindredtest$$
export KINDRED_IMAGE=$project:test KINDRED_WORKERS=1 KINDRED_THREADS=2 KINDRED_FSYNC=''
cd "$scratch" || exit 1

compose() {
    # shellcheck disable=SC2086 # two words, maybe
    $KIN_COMPOSE -f "$source_dir/docker-compose.yml" -p "$project" "$@" >said 2>&1 ||
        fail "compose $1: $(tail -n 5 said)"
}
containers() { # SERVICE [DOCKER-PS OPTIONS]
    local service=$1
    shift
    docker ps -q --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$service" "$@"
}
remove_all() {
    local ids volumes
    ids=$(docker ps -aq --filter "label=com.docker.compose.project=$project")
    # shellcheck disable=SC2086 # lists of words
    {
        [ -z "$ids" ] || docker rm -f -v $ids
        volumes=$(sort -u volumes 2>/dev/null)
        [ -z "$volumes" ] || docker volume rm -f $volumes
        docker volume rm -f "${project}_coordinator"
        docker network rm "${project}_default"
        docker image rm "$KINDRED_IMAGE"
    } >/dev/null 2>&1
    clean_up
}
trap remove_all EXIT
remember_volumes() { # those without a name are nobody's once their containers are gone
    local id
    for id in $(containers worker -a); do
        docker inspect -f '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}' "$id" | tr ' ' '\n'
    done >>volumes
}

part_began=$SECONDS
part() { # WHAT was done
    printf '%4d s  %s\n' $((SECONDS - part_began)) "$1"
    part_began=$SECONDS
}

wait_for() { # WHAT SECONDS COMMAND...
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@"; do
        if ((SECONDS >= end)); then
            fail "not in time: $what"
            docker ps -a --filter "label=com.docker.compose.project=$project" >&2
            docker logs --tail 5 "$(containers coordinator -a | head -n 1)" >&2
            return 1
        fi
        sleep 0.2
    done
}
status() {
    timeout 10 "$KINDRED" status --cluster "$url" --secret-file secret --json 2>/dev/null
}
joined() { # the numbers of the workers that are there
    status | tr '{' '\n' | sed -n 's/.*"node": *\([0-9]*\).*"joined": *true.*/\1/p' | sort -n | tr '\n' ' '
}
workers_are() { # COUNT
    [ "$(joined | wc -w)" = "$1" ]
}
healthy_are() { # COUNT, of all services
    [ "$( (containers coordinator --filter health=healthy; containers worker --filter health=healthy) | wc -l)" = "$1" ]
}

match() { # OUT WORKFLOW, from this machine by the published port
    timeout 200 "$KINDRED" match "$2" -o "$1" --cluster "$url" --secret-file secret --pairs --quiet 2>"$1.said"
}
compare() { # LABEL EXPECTED OUT
    local file
    for file in matches groups pairs errors; do
        same_file "$2/$file.csv" "$3/$file.csv" "$1: $file.csv"
    done
    check_accounts "$3" "$1"
}
run() { # LABEL WORKFLOW EXPECTED: and how long the command took
    local began_ms
    rm -rf out
    began_ms=$(date +%s%3N)
    match out "$2" || fail "$1: status $?: $(tail -n 3 out.said)"
    took_ms=$(($(date +%s%3N) - began_ms))
    compare "$1" "$3" out
}

# ---- what has to come out ----

generate . "$records" 1
cp "$here/../bench/people.yaml" .
cp -r "$source_dir/examples/febrl3" .
"$KINDRED" match people.yaml -o people.expected --pairs --quiet || fail "embedded: status $?"
"$KINDRED" match febrl3/febrl3.yaml -o febrl3.expected --pairs --quiet || fail "embedded: status $?"
mkdir files
cp -r febrl3 files/
chmod -R a+rwX files
export KINDRED_FILES=$scratch/files KINDRED_SECRET_FILE=$scratch/secret
# readable by the user of the containers; this is a secret of this test alone
head -c 32 /dev/urandom | base64 >secret
chmod 644 secret
KINDRED_PORT=$((20000 + $$ % 9000))
while (exec 3<>"/dev/tcp/127.0.0.1/$KINDRED_PORT") 2>/dev/null; do
    KINDRED_PORT=$((KINDRED_PORT + 1))
done
export KINDRED_PORT
url=tcp://127.0.0.1:$KINDRED_PORT
part "embedded runs"

# ---- the image ----

if ! docker build --network=host --build-arg BASE="$KIN_BASE" -t "$KINDRED_IMAGE" "$source_dir" >build.log 2>&1; then
    tail -n 15 build.log >&2
    fail "the image cannot be built"
    exit 1
fi
[ "$(docker run --rm --network none "$KINDRED_IMAGE" kindred --version)" = "$("$KINDRED" --version)" ] ||
    fail "the image has another version"
docker run --rm --network none "$KINDRED_IMAGE" sh -c '! command -v gcc cmake' || fail "the image has what builds it"
part "image: $(docker image inspect -f '{{.Size}}' "$KINDRED_IMAGE" | awk '{ printf "%d MB", $1 / 1e6 }')"

# ---- up ----

compose up -d --no-build --scale worker=3
remember_volumes
((failures == 0)) || exit 1
wait_for "healthy containers" 90 healthy_are 4 || exit 1
wait_for "three workers" 20 workers_are 3 || exit 1
part "up"

coordinator=$(containers coordinator)
for id in $coordinator $(containers worker); do
    name=$(docker inspect -f '{{.Name}}' "$id")
    [ "$(docker exec "$id" id -u)" = 7400 ] || fail "$name: runs as user $(docker exec "$id" id -u)"
    docker exec "$id" grep -qE '^[^ ]+ / [^ ]+ ro[, ]' /proc/mounts || fail "$name: the root file system is writable"
    docker exec "$id" sh -c 'touch /data/x /tmp/x && rm /data/x' || fail "$name: no place to write"
    docker exec "$id" grep -qE '^CapEff:[[:space:]]*0+$' /proc/1/status || fail "$name: has capabilities"
    docker exec "$id" grep -qE '^NoNewPrivs:[[:space:]]*1$' /proc/1/status || fail "$name: may gain rights"
done
docker exec "$coordinator" kindred status --worker nobody >/dev/null 2>&1 && fail "a worker that is not there is healthy"
docker port "$coordinator" | grep -v ' 127\.0\.0\.1:' && fail "published beyond the loopback address"
docker history --no-trunc "$KINDRED_IMAGE" | grep -F "$(cat secret)" && fail "the secret is in the image"
part "rights"

# ---- the same bytes ----

run "febrl3" febrl3/febrl3.yaml febrl3.expected
docker exec "$coordinator" kindred match /files/febrl3/febrl3.yaml -o /files/out --at-coordinator --pairs --quiet ||
    fail "at the coordinator: status $?"
compare "at the coordinator" febrl3.expected files/out
part "febrl3, from here and at the coordinator"
run "people" people.yaml people.expected
part "$records records, of which matching took $took_ms ms"

# ---- containers killed in mid-job ----

phase() {
    docker logs "$coordinator" 2>&1 | sed -n 's/.*"event":"phase".* phase=\([a-z]*\).*/\1/p' | tail -n 1
}
kill_one() { # SERVICE: an engine does not restart what it was told to kill, so it is told to start it
    local id
    kill -0 "$client" 2>/dev/null || return # the job is over
    id=$(containers "$1" | head -n 1)
    killed+=" $1 in $(phase)"
    docker kill -s KILL "$id" >/dev/null || fail "$1 cannot be killed"
    docker start "$id" >/dev/null || fail "$1 cannot be started"
}
disturbed() { # SHARE SERVICE...: kills those, the first after that share of the time of an undisturbed run
    local killed='' service
    rm -rf out
    match out people.yaml &
    client=$!
    sleep "$(awk -v ms="$took_ms" -v share="$1" 'BEGIN { printf "%.3f", ms * share / 1000 }')"
    for service in "${@:2}"; do
        kill_one "$service"
    done
    wait "$client" || fail "killed$killed: status $?: $(tail -n 3 out.said)"
    compare "killed$killed" people.expected out
    all_killed+=$killed
    part "killed:${killed:- nothing, the job was over before}"
}
all_killed=''
disturbed 0.15 worker coordinator
disturbed 0.45 coordinator
disturbed 0.45 worker
[[ $all_killed == *worker*coordinator* ]] || fail "jobs were over before a worker and the coordinator could be killed"

# ---- scaling, and containers made anew ----

wait_for "three workers again" 30 workers_are 3
compose up -d --no-build --no-recreate --scale worker=2
wait_for "two workers" 30 workers_are 2
run "two workers" people.yaml people.expected
part "scaled down to two"

before=$(joined)
compose up -d --no-build --force-recreate --scale worker=2
remember_volumes
wait_for "two workers of new containers" 60 workers_are 2
[ "$(joined)" = "$before" ] || fail "workers $before are $(joined) in new containers: their volumes were lost"
coordinator=$(containers coordinator)
run "new containers" febrl3/febrl3.yaml febrl3.expected
part "containers made anew"

# ---- what ends without being told to is started again ----

pid=$(docker inspect -f '{{.State.Pid}}' "$coordinator")
if [ "$(id -u)" = 0 ] && grep -q kindred-coordinator "/proc/$pid/cmdline" 2>/dev/null; then
    kill -9 "$pid"
    restarted() {
        [ "$(docker inspect -f '{{.RestartCount}}' "$coordinator")" = 1 ] && workers_are 2
    }
    wait_for "a coordinator started again" 30 restarted
    part "started again by the engine"
fi
compose down -v
[ -z "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" ] || fail "down leaves containers"
part "down"
finish test_compose

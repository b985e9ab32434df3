# shellcheck shell=bash
# Clusters of real processes for the tests; sourced after lib_run.sh. A process is known by its name:
# "coordinator", a worker's, a client's; its log is $scratch/NAME.log, its data $scratch/NAME.data, and
# $pid_NAME (pid_of) its number. run_in NAME may put it into another network namespace.
#   KINDRED_COORDINATOR, KINDRED_WORKER   the daemons; default: beside KINDRED
# KINDRED_MAP_BYTES is set for builds that have no room for large maps (ThreadSanitizer).

coordinator_program=$(realpath "${KINDRED_COORDINATOR:-$(dirname "$KINDRED")/kindred-coordinator}")
worker_program=$(realpath "${KINDRED_WORKER:-$(dirname "$KINDRED")/kindred-worker}")
declare -A pid_of=()
coordinator_options=(--lease-ms 500 --give-up-ms 120000 --workers 1)
workers_up=()

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
free_port() {
    local port=$((20000 + ($$ * 7 + RANDOM) % 12000))
    until port_is_free "$port"; do
        port=$((port + 1))
    done
    echo "$port"
}

run_in() { # NAME COMMAND...: in the foreground, to be started with &
    shift
    exec "$@"
}

start_coordinator() { # [OPTIONS]
    run_in coordinator "$coordinator_program" --listen "$url" --data "$scratch/coordinator.data" \
        --secret-file "$scratch/secret" --threads 2 "${coordinator_options[@]}" "$@" \
        2>>"$scratch/coordinator.log" &
    pid_of[coordinator]=$!
}
start_worker() { # NAME [OPTIONS]
    local name=$1
    shift
    run_in "$name" "$worker_program" --coordinator "$url" --data "$scratch/$name.data" --name "$name" \
        --secret-file "$scratch/secret" --threads 2 "$@" 2>>"$scratch/$name.log" &
    pid_of[$name]=$!
    workers_up+=("$name")
}
start() { # NAME: again, whatever it is
    if [ "$1" = coordinator ]; then
        start_coordinator
    else
        start_worker "$1"
    fi
}
is_running() { # NAME; a stopped one runs, one that ended and was not yet waited for does not
    local state
    state=$(cut -d ' ' -f 3 "/proc/${pid_of[$1]}/stat" 2>/dev/null)
    [ -n "$state" ] && [ "$state" != Z ]
}
kill_hard() { # NAME
    kill -9 "${pid_of[$1]}" 2>/dev/null
    wait "${pid_of[$1]}" 2>/dev/null
}
stop_gently() { # NAME: it has to end by itself, with status 0
    local status=0
    kill -TERM "${pid_of[$1]}" 2>/dev/null
    wait "${pid_of[$1]}" || status=$?
    ((status == 0)) || fail "$1 ended with $status: $(tail -n 3 "$scratch/$1.log")"
    unset "pid_of[$1]"
}
stop_all() {
    local name
    for name in "${!pid_of[@]}"; do
        [ "$name" = coordinator ] || stop_gently "$name"
    done
    if [ "${pid_of[coordinator]+there}" ]; then
        stop_gently coordinator
    fi
    workers_up=()
}
forget_all() { # their data and logs too
    rm -rf "$scratch"/*.data "$scratch"/*.log
}

client() { # COMMAND [OPTIONS]: a command of the cluster, from where clients are
    local command=$1
    shift
    (run_in client "$KINDRED" "$command" "$@" --cluster "$url" --secret-file "$scratch/secret")
}
wait_for() { # SECONDS COMMAND...: until it is true
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}
joined() { # COUNT: so many workers are there
    [ "$(client status --json | grep -o '"joined":true' | wc -l)" -ge "$1" ]
}
running_phase() { # of the job that runs, or nothing
    sed -n 's/.*"event":"phase".* phase=\([a-z]*\) .*/\1/p' "$scratch/coordinator.log" | tail -n 1
}
same_result() { # EXPECTED GOT LABEL
    local file
    for file in matches groups pairs errors; do
        same_file "$1/$file.csv" "$2/$file.csv" "$3: $file.csv"
    done
    check_accounts "$2" "$3"
}

#!/usr/bin/env bash
# A cluster that serves loses nothing, whatever is killed when: coordinator and two workers as processes of
# their own are killed and started again, or stopped for a while, as records are written, deleted and looked
# up. In the end each record is as it was acknowledged last, what was deleted stays deleted, no lookup said
# that there is no match for what was there, the change feed has no gap and no line that changed, replaying
# it gives the groups that are served, and they are those of a batch run over the same records.
#   KILL_SECONDS  of traffic and kills; default 30
#   KILL_RECORDS  that are served before; default 20000
#   KILL_SEED     of the kills and the traffic (not of their timing); default 1
# shellcheck source=tests/cluster/lib_run.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_run.sh"
# shellcheck source=tests/cluster/lib_cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib_cluster.sh"
command -v python3 >/dev/null || { echo 'no python3: skipped'; exit 77; }

seconds=${KILL_SECONDS:-30} records=${KILL_RECORDS:-20000} seed=${KILL_SEED:-1}
RANDOM=$((seed * 7919 % 32768))
live=(python3 "$here/live_client.py")
cd "$scratch" || exit 1
url=unix://$scratch/socket
printf 'a secret of this test alone\n' >secret
http=127.0.0.1:$(free_port)
coordinator_options=(--lease-ms 500 --give-up-ms 120000 --workers 2 --http "$http")

generate data "$records" 7 --columns all
printf 'id,first_name,last_name,dob,email,phone,postcode\n' >live.csv
cat >w.yaml <<'Y'
kindred: 1
workflow: people
fields:
  first_name: name
  last_name: name
  dob: date
  email: email
  phone: {type: phone, country: GB}
  postcode: postcode
sources:
  base: {path: data/people.csv, id: id}
  live: {path: live.csv, id: id}
rules:
  - Exact(email)
  - Exact(phone) AND JaroWinkler(last_name, 0.85)
  - JaroWinkler(last_name, 0.92) AND JaroWinkler(first_name, 0.9) AND Exact(dob)
  - JaroWinkler(last_name, 0.9) AND Levenshtein(first_name, 1) AND Exact(postcode)
never:
  - Differs(dob) AND Differs(postcode) AND Differs(phone)
block_on:
  - [email]
  - [phone]
  - [last_name, dob]
  - [soundex(last_name), postcode]
limits: {max_block: 5000}
Y

is_served() { # whole, and with nothing left to do
    client status --json | grep -q '"pending":0,.*"workers_lost":0,"partial":false'
}

start_coordinator
start_worker w1
start_worker w2
client match w.yaml -o first --quiet --serve || fail 'the first match'
wait_for 30 is_served || fail "nothing is served: $(client status --json)"

# ---- traffic, and kills ----

"${live[@]}" traffic "$http" data/people.csv "$seed" stop state.json >traffic.said 2>traffic.wrong &
traffic=$!
victims=(w1 w2 coordinator)
kills=0 stops=0 turn=0
end=$((SECONDS + seconds))
while ((SECONDS < end)) && kill -0 $traffic 2>/dev/null; do
    sleep "$((RANDOM % 3)).$(printf %03d $((RANDOM % 1000)))"
    victim=${victims[turn % 3]}
    is_running "$victim" || { fail "$victim ended by itself: $(tail -n 3 "$victim.log")"; break; }
    away=0.$(printf %03d $((RANDOM % 900))) # longer than a lease, at times
    if ((RANDOM % 4 == 0)); then
        kill -STOP "${pid_of[$victim]}"
        sleep "$away"
        kill -CONT "${pid_of[$victim]}"
        stops=$((stops + 1))
    else
        kill_hard "$victim"
        ((RANDOM % 3)) || sleep "$away"
        start "$victim"
        kills=$((kills + 1))
    fi
    turn=$((turn + 1))
done
sleep 1
touch stop
wait $traffic || fail "the traffic: $(cat traffic.wrong)"
is_running coordinator || finish live_kill
cat traffic.said

# ---- nothing goes on any more ----

wait_for 60 is_served || { fail "it does not come to rest: $(client status --json)"; finish live_kill; }
client changes >feed || fail 'changes'
"${live[@]}" verify "$http" state.json live.csv || fail 'records are not as acknowledged'
head -n "$(wc -l <state.json.feed)" feed | cmp - state.json.feed || fail 'lines of the feed have changed'
"${live[@]}" replay feed members.csv || fail 'the feed'
"${live[@]}" members "$http" people members.csv 7 || fail 'the feed does not lead to the groups that are served'
"$KINDRED" match w.yaml -o again --quiet || fail 'the batch run'
"${live[@]}" partition again/matches.csv members.csv || fail 'not the groups of a batch run'

# ---- and all of it once more after a restart ----

stop_all
start_coordinator
start_worker w1
start_worker w2
wait_for 30 is_served || fail 'not served after a restart'
client changes >feed.again || fail 'changes after a restart'
same_file feed feed.again 'the feed after a restart'
"${live[@]}" members "$http" people members.csv 31 || fail 'other groups after a restart'
stop_all
((kills >= seconds / 5)) || fail "only $kills kills in $seconds s"
finish "live_kill: $kills kills, $stops stops"

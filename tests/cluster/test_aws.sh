#!/usr/bin/env bash
# Real clients of AWS Entity Resolution with a server of ours: the SDK for JavaScript, and the command line.
# Both run a whole session; a client that is not there is skipped by name, and the test with it where there
# is none of both. KIN_AWS_MODEL=FILE: the service model, for an `aws` that does not know the service.
# KIN_AWS_SDK=DIR: a folder with node_modules that has the SDK; else npm installs it.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/cluster/lib_run.sh
. "$here/lib_run.sh"
session=$(realpath "$here/aws_session.mjs")
cd "$scratch" || exit 1
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_PAGER=
ran=0
: >listening

mkdir files
files=$scratch/files
cat >files/crm.csv <<'CSV'
cid,first,last,mail,dob
c1,Ann,Lee,ann@example.com,1980-02-03
c2,Anne,Lee,ann@example.com,1980-02-03
c3,Bob,Ray,bob@example.com,1975-06-07
CSV

# ---- the server ----

"$KINDRED" serve --data "$scratch/data" --files "$files" --http 127.0.0.1:0 >listening 2>server.log &
for ((i = 0; i < 200; i++)); do
    grep -q '^listening .*http=' listening && break
    sleep 0.05
done
endpoint=http://$(sed -n 's/^listening .*http=\([^ ]*\).*/\1/p' listening)
[ "$endpoint" != http:// ] || {
    fail "the server does not listen: $(tail -n 3 server.log)"
    finish 'clients of AWS'
}

# ---- the SDK ----

sdk=${KIN_AWS_SDK:-$scratch/sdk}
if ! command -v node >/dev/null; then
    echo 'skipped: the SDK: there is no node'
elif [ ! -d "$sdk/node_modules/@aws-sdk/client-entityresolution" ] &&
    ! { command -v npm >/dev/null && mkdir -p "$sdk" &&
        timeout 120 npm install --silent --no-audit --no-fund --prefix "$sdk" @aws-sdk/client-entityresolution \
            >npm.log 2>&1 </dev/null; }; then
    echo 'skipped: the SDK: npm cannot install it'
else
    ran=1
    cp "$session" "$sdk/aws_session.mjs"
    timeout 240 node "$sdk/aws_session.mjs" "$endpoint" "$files" >sdk.log 2>&1 ||
        fail "the SDK: $(grep -m 20 . sdk.log)"
    rm -f "$sdk/aws_session.mjs"
fi

# ---- the command line ----

er() { timeout 60 aws entityresolution "$@" --endpoint-url "$endpoint" --output json >out 2>err; }
good() { er "$@" || fail "aws $*: $(tail -n 2 err)"; }
says() { grep -qE -- "$1" out || fail "aws: nothing like '$1' in: $(head -c 400 out)"; }
refused() { # ERROR ARGS...
    local error=$1
    shift
    er "$@" && fail "aws $*: not refused"
    grep -q "($error)" err || fail "aws $*: no $error: $(tail -n 2 err)"
}

session_of_cli() {
    local ann job i
    cat >schema.json <<'JSON'
[{"fieldName":"cid","type":"UNIQUE_ID"},{"fieldName":"last","type":"NAME_LAST","matchKey":"last_name"},
 {"fieldName":"mail","type":"EMAIL_ADDRESS","matchKey":"email"},{"fieldName":"dob","type":"DATE","matchKey":"dob"}]
JSON
    cat >techniques.json <<'JSON'
{"resolutionType":"RULE_MATCHING","ruleConditionProperties":{"rules":[
 {"ruleName":"same email","condition":"Exact(email)"},
 {"ruleName":"near","condition":"Levenshtein(last_name, 1) AND Exact(dob)"}]}}
JSON
    good create-schema-mapping --schema-name cli-schema --mapped-input-fields file://schema.json
    says '"schemaArn": "arn:aws:entityresolution:us-east-1:000000000000:schemamapping/cli-schema"'
    refused ConflictException create-schema-mapping --schema-name cli-schema --mapped-input-fields file://schema.json
    good create-matching-workflow --workflow-name cli --role-arn arn:aws:iam::000000000000:role/any \
        --input-source-config "inputSourceARN=$files/crm.csv,schemaName=cli-schema" \
        --output-source-config "outputS3Path=$files/out-cli,output=[{name=cid}]" \
        --resolution-techniques file://techniques.json
    refused ConflictException delete-schema-mapping --schema-name cli-schema
    refused ResourceNotFoundException get-matching-workflow --workflow-name nothing
    refused ValidationException create-matching-workflow --workflow-name s3 --role-arn arn:aws:iam::000000000000:role/any \
        --input-source-config "inputSourceARN=$files/crm.csv,schemaName=cli-schema" \
        --output-source-config "outputS3Path=s3://bucket/out,output=[{name=cid}]" \
        --resolution-techniques file://techniques.json
    grep -q 's3:// is not supported here' err || fail "aws: s3:// is not explained: $(tail -n 1 err)"
    good start-matching-job --workflow-name cli
    job=$(sed -n 's/.*"jobId": "\([0-9a-f]*\)".*/\1/p' out)
    for ((i = 0; i < 60; i++)); do
        good get-matching-job --workflow-name cli --job-id "$job"
        grep -qE '"status": "(SUCCEEDED|FAILED)"' out && break
        sleep 0.5
    done
    says '"status": "SUCCEEDED"'
    good get-match-id --workflow-name cli --record mail=ann@example.com
    says '"matchRule": "same email"'
    ann=$(sed -n 's/.*"matchId": "\([0-9a-f]*\)".*/\1/p' out)
    good generate-match-id --workflow-name cli --processing-type CONSISTENT --records \
        "[{\"inputSourceARN\":\"$files/crm.csv\",\"uniqueId\":\"n1\",\"recordAttributeMap\":{\"mail\":\"ann@example.com\"}}]"
    says "\"matchId\": \"$ann\""
    good batch-delete-unique-id --workflow-name cli --unique-ids n1 'a,b' no-such
    says '"status": "COMPLETED"'
    says '"uniqueId": "a,b"'
    [ "$(grep -c VALIDATION_ERROR out)" = 2 ] || fail "aws: not two errors: $(cat out)"
    good list-matching-jobs --workflow-name cli --max-results 1
    says "\"jobId\": \"$job\""
    refused AccessDeniedException get-policy \
        --arn arn:aws:entityresolution:us-east-1:000000000000:matchingworkflow/cli
    good delete-matching-workflow --workflow-name cli
    good delete-schema-mapping --schema-name cli-schema
}

if ! command -v aws >/dev/null; then
    echo 'skipped: the command line: there is no aws'
else
    if [ -n "${KIN_AWS_MODEL:-}" ]; then
        mkdir -p models/entityresolution/2018-05-10
        cp "$KIN_AWS_MODEL" models/entityresolution/2018-05-10/service-2.json
        export AWS_DATA_PATH=$scratch/models
    fi
    if er list-schema-mappings || ! grep -qi 'invalid choice' err; then
        ran=1
        session_of_cli
    else
        echo 'skipped: the command line: aws does not know the service (KIN_AWS_MODEL)'
    fi
fi

[ $ran = 1 ] || exit 77
finish 'clients of AWS'

#!/bin/bash
# Kills workers of one group on an Apache Kafka with kill -9, one after the other, and
# looks at what they have written:
#
#     test/conformance/workers.sh [FLAG...]
#
# 30 kills in 10 minutes by default; -rounds, -every and others change it (-h lists
# them). Needs Java 17 and Maven.
set -eu
. "$(dirname "$0")/lib.sh"
fetch_kafka
start_kafka "$work/kafka"
(cd "$root" && CGO_ENABLED=0 go build -o "$work/sluice" ./cmd/sluice && CGO_ENABLED=0 go build -o "$work/run" ./test/workers/run)
# The logs are kept when something is wrong.
crew=$(mktemp -d)
if "$work/run" -sluice "$work/sluice" -bootstrap "$addr" -dir "$crew" "$@"; then
    rm -rf "$crew"
else
    echo "the workers' logs are in $crew" >&2
    exit 1
fi

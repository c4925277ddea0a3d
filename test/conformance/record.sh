#!/bin/bash
# Records the answers of an Apache Kafka that it starts to the requests of
# test/conformance/differential:
#
#     test/conformance/record.sh [SCRIPT ...]
set -eu
. "$(dirname "$0")/lib.sh"
fetch_kafka
start_kafka "$work/kafka"
cd "$root"
go run ./test/conformance/differential/record "$addr" "$@"

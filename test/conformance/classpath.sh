#!/bin/bash
# Fetches Apache Kafka from Maven Central and prints the name of the file that holds
# its class path, for bench -kafka.
set -eu
. "$(dirname "$0")/lib.sh"
kafka_jars

#!/bin/bash
# Fetches Debezium and Kafka Connect from Maven Central and prints the name of the file
# that holds their class path, for bench -debezium.
set -eu
cd "$(dirname "$0")"
. ./jars.sh
echo "$debezium_cache/classpath"

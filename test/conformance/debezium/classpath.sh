#!/bin/bash
# Fetches Debezium and Kafka Connect from Maven Central and prints the name of the file
# that holds their class path, for bench -debezium.
set -eu
. "$(dirname "$0")/../lib.sh"
. "$here/debezium/jars.sh"
debezium_jars

#!/bin/bash
# Judges the schema registry of bin/sluice server with confluent-kafka-python, its client
# and serializers, and with fastavro and Apache's avro as readers of what a connector wrote:
#
#     test/conformance/registry-python.sh
#
# Needs Python 3 with venv; the packages come from PyPI.
set -eu
. "$(dirname "$0")/lib.sh"

version=${CONFLUENT_KAFKA_VERSION:-2.16.1}
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/confluent-kafka-registry-$version
if [ ! -e "$venv/done" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "confluent-kafka[avro,schemaregistry,json,protobuf]==$version"
    touch "$venv/done"
fi
start_sluice "$work/server"
address() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" "$work/server/data/addresses.json"; }
for i in $(seq 1 240); do
    [ -s "$work/server/data/addresses.json" ] && break
    sleep 0.25
done
timeout 300 "$venv/bin/python" "$here/registry_client.py" "$addr" "http://$(address rest)" "http://$(address registry)" ||
    { tail -20 "$work/server/sluice.log" >&2; exit 1; }

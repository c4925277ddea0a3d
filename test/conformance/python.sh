#!/bin/bash
# Judges bin/sluice server with confluent-kafka-python:
#
#     test/conformance/python.sh [sluice|kafka]
#
# Needs Python 3 with venv; the package comes from PyPI.
set -eu
. "$(dirname "$0")/lib.sh"

version=${CONFLUENT_KAFKA_VERSION:-2.11.1}
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/confluent-kafka-$version
if [ ! -e "$venv/done" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "confluent-kafka==$version"
    touch "$venv/done"
fi
[ "${1:-sluice}" = sluice ] || fetch_kafka
start_server "${1:-sluice}" "$work/server"
timeout 300 "$venv/bin/python" "$here/python_client.py" "$addr"

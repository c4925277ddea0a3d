#!/bin/bash
# Records what fastavro reads of records that the converter writes, into test/avrolibs/testdata/fastavro.gz:
#
#     test/conformance/avroconverter/fastavro.sh
#
# Needs Go, Python 3 with venv; the package comes from PyPI.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)

version=${FASTAVRO_VERSION:-1.13.1}
venv=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/fastavro-$version
if [ ! -e "$venv/done" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "fastavro==$version"
    touch "$venv/done"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$root/test/avrolibs" && SLUICE_FASTAVRO_RECORDS="$work/records" go test -count=1 -run '^TestFastavro$' .)
"$venv/bin/python" "$here/fastavro_read.py" <"$work/records" | gzip -9n >"$root/test/avrolibs/testdata/fastavro.gz"

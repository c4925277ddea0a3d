#!/bin/bash
# fuzz.sh TIME
# Runs every fuzz test of the module for TIME. When the time is over while the machine is busy, go before 1.27 can end a run with "context deadline
# exceeded" and a status of 1 though no input failed: a run that says only this has found nothing. An input that fails is named and written to testdata.
set -uo pipefail
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# only_late tells whether a run that failed has only run out of time.
only_late() { grep -qx '    context deadline exceeded' "$out" && ! grep -q 'Failing input written' "$out"; }

for file in $(grep -rlE --include='*_test.go' '^func Fuzz' --exclude-dir='.*' -- * | sort); do
    dir=$(dirname "$file")
    for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
        echo "== $dir $name"
        "${GO:-go}" test -run '^$' -fuzz "^$name\$" -fuzztime "$1" "./$dir" 2>&1 | tee "$out" || only_late || exit 1
    done
done

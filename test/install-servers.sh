#!/bin/bash
# install-servers.sh [postgresql]
# Installs what the tests run against, as far as it is missing: Debian packages, and a server that is written in Go.
# With the argument: a PostgreSQL server of the distribution's version alone, unless there is one, for the demo.
set -euo pipefail
only=${1:-}

# program package: a package is wanted when its program is not there.
wanted=(
    "gcc gcc" "libc6-dev:/usr/include/stdio.h libc6-dev"
    "mosquitto mosquitto" "kcat kcat"
    "radosgw radosgw" "radosgw-admin radosgw" "ceph-mon ceph-mon" "ceph-osd ceph-osd" "ceph ceph-common" "ceph-authtool ceph-common"
    "python3 python3" "mvn maven" "xz xz-utils"
    "postgres:/usr/lib/postgresql/15/bin/postgres postgresql-15"
)
PATH=$PATH:/usr/sbin:/sbin
if [[ $only == postgresql ]]; then
    if compgen -G '/usr/lib/postgresql/*/bin/postgres' > /dev/null || compgen -G '/usr/pgsql-*/bin/postgres' > /dev/null || command -v postgres > /dev/null; then
        exit 0
    fi
    wanted=("postgres postgresql")
fi

missing=()
for entry in "${wanted[@]}"; do
    read -r program package <<< "$entry"
    if [[ $program == *:* ]]; then
        [[ -e ${program#*:} ]] || missing+=("$package")
    else
        command -v "$program" > /dev/null || missing+=("$package")
    fi
done
[[ -n $only ]] || python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)

# promtool alone: the package it is in also has a server, which would start and listen on every address.
promtool=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/promtool
fetch_promtool() {
    local dir
    dir=$(mktemp -d)
    (cd "$dir" && apt-get download -q prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool)
    mkdir -p "${promtool%/*}"
    mv "$dir/usr/bin/promtool" "$promtool"
    rm -r "$dir"
}

# The S3 server, a Go program.
versitygw_version=v1.8.0
fetch_versitygw() {
    local at=${promtool%/*}/versitygw
    [[ -x $at && $(go version -m "$at" | awk '$1 == "mod" { print $3 }') == "$versitygw_version" ]] && return
    echo "building versitygw $versitygw_version"
    mkdir -p "${at%/*}"
    (cd / && GOBIN=${at%/*} GOFLAGS= go install "github.com/versity/versitygw/cmd/versitygw@$versitygw_version")
}

finish() {
    [[ -z $only ]] || return 0
    fetch_versitygw
    [[ -x $promtool ]] || fetch_promtool
    "$(dirname "$0")/postgres-servers.sh"
}

if [[ ${#missing[@]} -eq 0 ]]; then
    finish
    exit 0
fi

if ! command -v apt-get > /dev/null; then
    echo "install-servers: there is no apt-get; install these yourself: ${missing[*]}" >&2
    exit 1
fi
as_root=(env DEBIAN_FRONTEND=noninteractive)
[[ $(id -u) -eq 0 ]] || as_root=(sudo "${as_root[@]}")
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package would make a cluster and start it; tests start their own.
postgres=/etc/postgresql-common/createcluster.conf
if [[ " ${missing[*]} " == *" postgresql"* && ! -e $postgres ]]; then
    "${as_root[@]}" sh -c "mkdir -p ${postgres%/*} && echo 'create_main_cluster = false' > $postgres"
fi
for step in "update -q" "install -q -y --no-install-recommends ${missing[*]}"; do
    # shellcheck disable=SC2086 # the words of a step are arguments
    if ! "${as_root[@]}" apt-get $step > "$log" 2>&1; then
        cat "$log" >&2
        echo "install-servers: apt-get $step failed" >&2
        exit 1
    fi
done
finish

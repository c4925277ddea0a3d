# Sets classpath: Kafka Connect's runtime, file connectors and converters from Maven
# Central. Source it from bash with `set -eu`. Needs Maven.
version=${KAFKA_VERSION:-4.3.1}
connect_cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/connect-$version
if [ ! -s "$connect_cache/classpath" ]; then
    mkdir -p "$connect_cache"
    cat > "$connect_cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>connect</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>connect-file</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.1</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.1</version></dependency>
  </dependencies>
</project>
POM
    (cd "$connect_cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath)
fi
classpath=$(cat "$connect_cache/classpath")

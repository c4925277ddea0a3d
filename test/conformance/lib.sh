# Functions for the scripts of this folder: Apache Kafka from Maven Central, and
# servers on loopback ports. Source it from bash with `set -eu`.
#
# What it starts ends with the script. Needs Java 17 and Maven.

kafka_version=${KAFKA_VERSION:-4.4.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/kafka-$kafka_version
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
pids=()

cleanup() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

# fetch_kafka sets classpath: the broker, the tools, the clients and Streams.
fetch_kafka() {
    if [ ! -s "$cache/classpath" ]; then
        mkdir -p "$cache"
        cat > "$cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
        (cd "$cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath)
    fi
    classpath=$(cat "$cache/classpath")
}

# fetch_connect sets connect_classpath: a Kafka Connect worker with the connectors of
# files, which are not published for every version.
fetch_connect() {
    local version=${CONNECT_VERSION:-4.3.1}
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/connect-$version
    if [ ! -s "$cache/classpath" ]; then
        mkdir -p "$cache"
        cat > "$cache/pom.xml" <<POM
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
        (cd "$cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath)
    fi
    connect_classpath=$(cat "$cache/classpath")
}

# run_java CLASS ARGS... starts quickly rather than running fast.
run_java() {
    timeout "${JAVA_TIMEOUT:-120}" java -Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$classpath" "$@"
}

open_port() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port prints a port that nobody listens on.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        open_port "$port" || { echo "$port"; return; }
    done
}

# wait_port PORT PID NAME LOG waits until a server listens.
wait_port() {
    local i
    for i in $(seq 1 240); do
        open_port "$1" && return
        kill -0 "$2" 2>/dev/null || break
        sleep 0.25
    done
    echo "$3 does not listen on port $1:" >&2
    tail -30 "$4" >&2
    return 1
}

# start_kafka DIR [PROPERTY...] formats and starts a single KRaft node with its data
# in DIR/data, and sets addr and kafka_pid. A second start on DIR keeps the data.
start_kafka() {
    local dir=$1 port controller
    shift
    mkdir -p "$dir"
    port=$(free_port) controller=$(free_port)
    cat > "$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=0
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
controller.quorum.voters=0@127.0.0.1:$controller
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.initial.task.delay.ms=600000
$(printf '%s\n' "$@")
PROPERTIES
    [ -d "$dir/data" ] || run_java kafka.tools.StorageTool format --feature eligible.leader.replicas.version=0 -t AAAAAAAAAAAAAAAAAAAAAQ -c "$dir/server.properties" > "$dir/format.log" 2>&1 ||
        { cat "$dir/format.log" >&2; return 1; }
    java -Xmx512m -cp "$classpath" kafka.Kafka "$dir/server.properties" > "$dir/kafka.log" 2>&1 &
    kafka_pid=$!
    pids+=("$kafka_pid")
    wait_port "$port" "$kafka_pid" Kafka "$dir/kafka.log"
    addr=127.0.0.1:$port
}

# start_sluice DIR [FLAG...] builds and starts the binary with its data in
# DIR/data, and sets addr and sluice_pid.
start_sluice() {
    local dir=$1 port
    shift
    mkdir -p "$dir"
    (cd "$root" && CGO_ENABLED=0 go build -o "$work/sluice" ./cmd/sluice)
    port=$(free_port)
    "$work/sluice" server --data-dir "$dir/data" --rest 127.0.0.1:0 --registry 127.0.0.1:0 --kafka "127.0.0.1:$port" "$@" > "$dir/sluice.log" 2>&1 &
    sluice_pid=$!
    pids+=("$sluice_pid")
    wait_port "$port" "$sluice_pid" Sluice "$dir/sluice.log"
    addr=127.0.0.1:$port
}

# start_server NAME DIR starts kafka or sluice.
start_server() {
    case $1 in
        kafka) start_kafka "$2" ;;
        sluice) start_sluice "$2" ;;
        *) echo "a server is kafka or sluice, not $1" >&2; return 2 ;;
    esac
}

# stop PID ends a server in an orderly way.
stop() {
    kill "$1"
    wait "$1" || true
}

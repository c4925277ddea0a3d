# Functions for the scripts of this folder: Apache Kafka from Maven Central, and
# servers on loopback ports. Source it from bash with `set -eu`.
#
# What it starts ends with the script. Needs Java 17 and Maven.

kafka_version=${KAFKA_VERSION:-4.4.0}
connect_version=${CONNECT_VERSION:-4.3.1} # files' connectors are not published for every version
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

# maven NAME GROUP:ARTIFACT:VERSION... prints the name of the file that holds the class path of
# artifacts and all that they need, and keeps it under NAME.
maven() {
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/$1 artifact
    shift
    if [ ! -s "$cache/classpath" ]; then
        mkdir -p "$cache"
        {
            echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            echo '<groupId>sluice</groupId><artifactId>judges</artifactId><version>1</version><dependencies>'
            for artifact in "$@"; do
                echo "$artifact" | sed 's|\(.*\):\(.*\):\(.*\)|<dependency><groupId>\1</groupId><artifactId>\2</artifactId><version>\3</version></dependency>|'
            done
            echo '</dependencies></project>'
        } > "$cache/pom.xml"
        (cd "$cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath) >&2
    fi
    echo "$cache/classpath"
}

# kafka_jars prints the name of the file with the class path of the broker, the tools, the clients and Streams.
kafka_jars() {
    maven "kafka-$kafka_version" org.apache.kafka:{kafka_2.13,kafka-tools,kafka-streams}:"$kafka_version" org.slf4j:slf4j-nop:1.7.36
}

# fetch_kafka sets classpath to those.
fetch_kafka() { classpath=$(cat "$(kafka_jars)"); }

# What a worker of Kafka Connect is, beside connectors.
connect_worker=("org.apache.kafka:connect-runtime:$connect_version" org.apache.logging.log4j:{log4j-core,log4j-slf4j-impl}:2.25.1)

# fetch_connect sets connect_classpath: a Kafka Connect worker with the connectors of files.
fetch_connect() {
    connect_classpath=$(cat "$(maven "connect-$connect_version" "${connect_worker[@]}" "org.apache.kafka:connect-file:$connect_version")")
}

# worker_properties GROUP CONVERTER [PROPERTY...] prints the properties of a worker, Kafka's or ours, on the
# cluster at $addr. CONVERTER is a class of Kafka, without its package.
worker_properties() {
    local group=$1 converter=$2 topic
    shift 2
    echo "bootstrap.servers=$addr"
    echo "group.id=$group"
    printf "%s.converter=org.apache.kafka.connect.$converter\n" key value
    for topic in config offset status; do
        echo "$topic.storage.topic=$group-$topic"
        echo "$topic.storage.replication.factor=1"
    done
    printf '%s\n' "$@"
}

# start_connect CLASSPATH PROPERTIES LOG [OPTION...] starts a worker of Kafka Connect, OPTIONs being the
# JVM's, and sets connect_pid.
start_connect() {
    local path=$1 properties=$2 log=$3
    shift 3
    java -XX:+UseSerialGC "$@" -cp "$path" org.apache.kafka.connect.cli.ConnectDistributed "$properties" >> "$log" 2>&1 &
    connect_pid=$!
    pids+=("$connect_pid")
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
        port=$((20000 + RANDOM % 12000)) # below those that the system gives to clients
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

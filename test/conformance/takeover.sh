#!/bin/bash
# Lets a worker of Apache Kafka Connect and one of bin/sluice take each other's place,
# on a real Apache Kafka, with the same worker properties:
#
#     test/conformance/takeover.sh
#
# Kafka's file connectors run first, then the worker is stopped and Sluice's takes its
# group.id and its topics over, and the other way round. After each change configs,
# states and offsets have to be what they were, and each line of the source's file has
# to be in the sink's file once. Needs a JDK 17 and Maven, curl and Python.
set -eu
. "$(dirname "$0")/lib.sh"
fetch_kafka
start_kafka "$work/kafka"
run_java org.apache.kafka.tools.TopicCommand --bootstrap-server "$addr" --create --topic lines --partitions 1 > /dev/null # a Java sink looks for new ones every 5 minutes
fetch_connect
(cd "$root" && CGO_ENABLED=0 go build -o "$work/sluice" ./cmd/sluice)

port=$(free_port)
url=http://127.0.0.1:$port
files=$work/files
mkdir "$files"
touch "$files/in.txt"
worker_properties takeover storage.StringConverter offset.flush.interval.ms=500 scheduled.rebalance.max.delay.ms=0 "listeners=$url" plugin.discovery=service_load > "$work/worker.properties"

# start_worker java|sluice starts the worker of that kind and waits until it answers.
start_worker() {
    case $1 in
        java)
            start_connect "$connect_classpath" "$work/worker.properties" "$work/java.log" -Xmx384m -XX:TieredStopAtLevel=1
            worker=$connect_pid
            ;;
        sluice)
            "$work/sluice" server --config "$work/worker.properties" --data-dir "$work/data" --registry 127.0.0.1:0 >> "$work/sluice.log" 2>&1 &
            worker=$!
            pids+=("$worker")
            ;;
    esac
    ask await-health || { tail -20 "$work/$1.log" >&2; return 1; }
    echo "== worker: $1 $(ask version)"
}

ask() { python3 "$here/takeover.py" "$url" "$files" "$@"; }

# lines adds lines to the source's file and waits until the sink's has them.
lines() {
    local i
    for i in $(seq "$1" "$2"); do echo "line $i" >> "$files/in.txt"; done
    ask await-lines "$2"
    cmp "$files/in.txt" "$files/out.txt"
    echo "lines 1 to $2 are in the sink's file, each once and in order"
}

# hand_over KIND replaces the worker and compares what the new one says with what
# the old one said.
hand_over() {
    ask settle
    ask snapshot > "$work/before"
    stop "$worker"
    start_worker "$1"
    ask settle
    ask snapshot > "$work/after"
    diff "$work/before" "$work/after" || { echo "the new worker says something else" >&2; return 1; }
    echo "configs, types, states, tasks, offsets and topics are the same: $(tr '\n' ' ' < "$work/after" | cut -c1-60)... ($(wc -l < "$work/after") lines)"
}

start_worker java
ask create
lines 1 100
hand_over sluice
lines 101 200
ask change
lines 201 250
hand_over java
lines 251 300
ask change
hand_over sluice
lines 301 350
ask delete
echo "passed"

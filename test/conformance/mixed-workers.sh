#!/bin/bash
# One group with a worker of Apache Kafka Connect and one of ours, on an Apache Kafka:
# each leads for a while, each is killed, connectors are made through both, and their
# tasks run on both. Needs Java 17, Maven, curl and python3.
set -eu
. "$(dirname "$0")/lib.sh"
fetch_kafka
fetch_connect
start_kafka "$work/kafka"
(cd "$root" && CGO_ENABLED=0 go build -o "$work/sluice" ./cmd/sluice)

ours=127.0.0.1:$(free_port) java=127.0.0.1:$(free_port)
worker_properties mixed storage.StringConverter offset.flush.interval.ms=1000 scheduled.rebalance.max.delay.ms=3000 > "$work/ours.properties"
{ cat "$work/ours.properties"; echo "listeners=http://$java"; echo plugin.discovery=service_load; } > "$work/java.properties"
mkdir "$work/files"

start_ours() {
    "$work/sluice" server --config "$work/ours.properties" --data-dir "$work/ours" --rest "$ours" --registry 127.0.0.1:0 >> "$work/ours.log" 2>&1 &
    ours_pid=$!
    pids+=("$ours_pid")
}
start_java() {
    start_connect "$connect_classpath" "$work/java.properties" "$work/java.log" -Xmx384m -XX:TieredStopAtLevel=1
    java_pid=$connect_pid
}
kill_java() {
    kill -9 "$java_pid"
    wait "$java_pid" 2>/dev/null || true
}
fail() {
    echo "FAILED: $*" >&2
    curl -s "http://$ours/connectors?expand=status" >&2 || true
    tail -40 "$work/ours.log" "$work/java.log" >&2
    exit 1
}
# spread ADDR prints how many connectors and tasks run on which worker, as ADDR says,
# and how many do not.
spread() {
    curl -s -m 20 "http://$1/connectors?expand=status" | OURS=$ours JAVA=$java python3 -c '
import collections, json, os, sys
names = {os.environ["OURS"]: "ours", os.environ["JAVA"]: "java"}
count = collections.Counter()
try:
    connectors = json.load(sys.stdin)
    for c in connectors.values():
        for s in [c["status"]["connector"]] + c["status"]["tasks"]:
            count[names[s["worker_id"]] if s["state"] == "RUNNING" else s["state"]] += 1
        if not c["status"]["tasks"]:
            count["without-tasks"] += 1
except Exception:
    print("no-answer")
else:
    print(*("%s:%d" % kv for kv in sorted(count.items())))'
}
# await WHAT SPREAD waits until every worker that answers says that.
await() {
    local i got
    for i in $(seq 1 240); do
        got=$(spread "$3")
        [ "$got" = "$2" ] && { echo "$1: $got"; return; }
        sleep 0.5
    done
    fail "$1: $got, want $2"
}
# make ADDR N makes the N-th connector by a worker.
make() {
    local i code
    touch "$work/files/$2.txt"
    for i in $(seq 1 60); do
        code=$(curl -s -m 60 -o "$work/answer" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' "http://$1/connectors/c$2/config" \
            -d "{\"connector.class\":\"FileStreamSource\",\"tasks.max\":\"1\",\"topic\":\"lines\",\"file\":\"$work/files/$2.txt\"}") || true
        case $code in 200 | 201) return ;; esac
        sleep 1
    done
    fail "make connector $2: $code $(cat "$work/answer")"
}
lines=0
# write N appends a line to each of the files 1 to N; check waits until the topic has
# every line once.
write() {
    local n
    lines=$((lines + 1))
    for n in $(seq 1 "$1"); do echo "line $lines of $n" >> "$work/files/$n.txt"; done
    expected=$(cat "$work"/files/*.txt | sort)
}
check() {
    local i got
    for i in $(seq 1 20); do
        got=$(run_java org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$addr" --topic lines --from-beginning --timeout-ms 4000 2>/dev/null | sort -u)
        [ "$got" = "$expected" ] && { echo "$1: all $(echo "$got" | wc -l) lines are in the topic"; return; }
    done
    fail "$1: the topic has $(echo "$got" | wc -l) lines, want $(echo "$expected" | wc -l)"
}

start_ours
for n in 1 2 3 4; do make "$ours" $n; done
await "ours alone" "ours:8" "$ours"
write 4
start_java
await "Java has joined, ours leads" "java:4 ours:4" "$ours"
await "Java says the same" "java:4 ours:4" "$java"
make "$java" 5
make "$java" 6
await "two more made through Java" "java:6 ours:6" "$java"
write 6
check "ours leads"
kill_java
await "Java was killed" "ours:12" "$ours"
write 6
start_java
await "Java is back" "java:6 ours:6" "$ours"
stop "$ours_pid"
await "ours has left" "java:12" "$java"
write 6
start_ours
await "ours is back, Java leads" "java:6 ours:6" "$java"
make "$ours" 7
make "$ours" 8
await "two more made through ours" "java:8 ours:8" "$ours"
write 8
check "Java leads"
kill_java
await "Java, which led, was killed" "ours:16" "$ours"
write 8
check "ours is alone again"

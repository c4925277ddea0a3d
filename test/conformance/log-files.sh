#!/bin/bash
# The log's files between Apache Kafka and Sluice:
#
#     test/conformance/log-files.sh check     fills bin/sluice server, stops it, and lets Kafka's dump tool read every file
#     test/conformance/log-files.sh record    fills a Kafka, stops it, and keeps its files for the tests of package log:
#                                             log/testdata/kafka-files.tar.gz, and what a consumer read from them
#                                             before: log/testdata/kafka-records.txt
#
# Needs a JDK 17 and Maven.
set -eu
. "$(dirname "$0")/lib.sh"

mode=${1:?usage: log-files.sh check|record}
fetch_kafka
mkdir -p "$work/classes"
javac -nowarn -cp "$classpath" -d "$work/classes" "$here"/java/Harness.java "$here"/java/Fill.java 2> "$work/javac.log" || { cat "$work/javac.log" >&2; exit 1; }

fill() { java -Xmx256m -Dwait="$1" -cp "$work/classes:$classpath" Fill "$addr" "$work/records.txt"; }

record() {
    start_kafka "$work/server" offsets.topic.num.partitions=1 transaction.state.log.num.partitions=1 log.cleaner.backoff.ms=200 log.initial.task.delay.ms=100
    fill 60
    stop "$kafka_pid"
    local files=$root/log/testdata
    cp "$work/records.txt" "$files/kafka-records.txt"
    tar -C "$work/server/data" --sort=name --owner=0 --group=0 --mtime=@0 --exclude='*.deleted' -czf "$files/kafka-files.tar.gz" \
        cleaner-offset-checkpoint plain-0 transactions-0 compacted-0 __consumer_offsets-0 __transaction_state-0
    ls -l "$files/kafka-files.tar.gz"
}

# dump FILE OPTIONS... prints what the tool says of a file.
dump() {
    local file=$1
    shift
    run_java org.apache.kafka.tools.DumpLogSegments --files "$file" "$@" 2>&1
}

# complaints are what the tool prints when it does not like a file. Offsets with gaps are
# what compaction leaves.
complaints='Exception|[Mm]ismatch|out of order|not found|[Cc]orrupt|isvalid: false|[Cc]ould not|[Ii]nvalid|sanity check failed'

sound() {
    local file=$1 gaps='|Non-consecutive'
    shift
    case $file in */compacted-* | */__*) gaps= ;; esac
    checked=$((checked + 1))
    if ! dump "$file" "$@" > "$work/dump" || grep -Eq "$complaints$gaps" "$work/dump"; then
        echo "FAIL ${file#"$work"/} $*:"
        grep -E "$complaints$gaps" "$work/dump" | head -5 || tail -5 "$work/dump"
        failed=$((failed + 1))
    fi
}

check() {
    local dir=$work/server/data/log file checked=0 failed=0
    start_sluice "$work/server"
    fill 5
    stop "$sluice_pid"
    "$work/sluice" log check "$dir" 2> /dev/null || echo "sluice log check is not there or finds something"
    for file in "$dir"/{plain,transactions,compacted}-0/*.log; do sound "$file" --deep-iteration --print-data-log; done
    for file in "$dir"/{plain,transactions,compacted}-0/*.{index,timeindex}; do
        sound "$file" --verify-index-only
        sound "$file" --index-sanity-check
    done
    for file in "$dir"/{plain,transactions,compacted}-0/*.{txnindex,snapshot}; do [ ! -e "$file" ] || sound "$file"; done
    for file in "$dir"/__consumer_offsets-*/*.log; do sound "$file" --offsets-decoder; done
    for file in "$dir"/__transaction_state-*/*.log; do [ ! -e "$file" ] || sound "$file" --transaction-log-decoder; done
    echo "$checked dumps of Sluice's files by Kafka $kafka_version, $failed with complaints"
    [ $failed = 0 ]
}

case $mode in
    record) record ;;
    check) check ;;
    *) echo "usage: log-files.sh check|record" >&2; exit 2 ;;
esac

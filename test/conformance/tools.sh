#!/bin/bash
# Runs Apache Kafka's own command line tools and compares what they print.
#
#     test/conformance/tools.sh record         against a Kafka that it starts; writes testdata/tools.txt
#     test/conformance/tools.sh check          against bin/sluice server; compares with that file
#     test/conformance/tools.sh check NAME...  only compares these sections
#
# What differs from run to run (ids, addresses, times, rates) is replaced first, the
# topics of Sluice's worker and schema registry, the texts of errors, and what depends on the speed of the
# machine (progress lines, how many transactions were made in topic t2) are left out.
# Where Sluice is to answer otherwise, testdata/tools.sluice.txt has the section as
# Sluice prints it, after a line "# reason". Needs Java 17 and Maven.
set -eu
. "$(dirname "$0")/lib.sh"

mode=${1:?usage: tools.sh record|check [NAME...]}
shift
golden=$here/testdata/tools.txt
exceptions=$here/testdata/tools.sluice.txt
out=$work/out
mkdir -p "$out"

# plain replaces what differs from run to run.
plain() {
    grep -vE '^\s+at |^Caused by: |connect-(configs|offsets|status)|^(Topic: )?_schemas|records sent, .* max latency\.$' | sed -E \
        -e "s/127\.0\.0\.1:[0-9]+/ADDRESS/g; s/\/127\.0\.0\.1/HOST/g; s/127\.0\.0\.1/HOST/g" \
        -e "s#$work#WORK#g" \
        -e 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UUID/g' \
        -e 's/TopicId: [A-Za-z0-9_-]{22}/TopicId: ID/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.,+Z-]+/TIME/g' \
        -e 's/\b1[78][0-9]{11}\b/MILLIS/g' \
        -e 's/^\[?TIME\]? //' \
        -e 's/Epoch: [0-9]+$/Epoch: N/' \
        -e 's/^(\S+ +t2 +0 +[0-9]+) +[0-9]+ +[0-9]+ /\1 END LAG /' \
        -e 's/(org\.apache\.kafka\.common\.errors\.\w+): .*/\1/' \
        -e 's/(Error while executing topic command :).*/\1/' \
        -e 's/HOST [0-9]{4,5} /HOST PORT /; s/ [A-Za-z0-9_-]{22} HOST/ ID HOST/' \
        -e 's/(console|perf)-consumer-[0-9]+/\1-consumer-N/g' \
        -e 's/[ \t]+$//; s/[ \t]+/ /g' | uniq
}

# step NAME COMMAND... keeps what the command prints as the section NAME.
step() {
    local name=$1 code=0
    shift
    "$@" > "$work/raw" 2>&1 < "${input:-/dev/null}" || code=$?
    { plain < "$work/raw"; [ $code = 0 ] || echo "exit $code"; } > "$out/$name"
    printf '%s ' "$name" >&2
}

# sorted, numbers: a step whose lines come in no order, and one that prints rates.
sorted() { "$@" | LC_ALL=C sort; }
numbers() { "$@" 2>&1 | sed -E 's/[0-9]+\.[0-9]+( |,|$)/N\1/g; s/\b[0-9]+ ms/N ms/g'; }

tool() {
    local class=$1
    shift
    run_java "org.apache.kafka.tools.$class" --bootstrap-server "$addr" "$@"
}
topics() { tool TopicCommand "$@"; }
configs() { tool ConfigCommand "$@"; }
groups() { tool consumer.group.ConsumerGroupCommand "$@"; }
offsets() { tool GetOffsetShell "$@"; }
consume() { tool consumer.ConsoleConsumer --timeout-ms 25000 "$@"; }
cluster() { run_java org.apache.kafka.tools.ClusterTool "$1" --bootstrap-server "$addr"; }

topic_steps() {
    step topics-create topics --create --topic t1 --partitions 3 --replication-factor 1 --config retention.ms=86400000
    step topics-create-defaults topics --create --topic t2
    step topics-create-again topics --create --topic t1
    step topics-create-if-not-exists topics --create --topic t1 --if-not-exists
    step topics-create-bad-name topics --create --topic 'bad name'
    step topics-create-bad-config topics --create --topic t3 --config no.such=1
    step topics-create-replicas topics --create --topic t3 --replication-factor 3
    step topics-create-assignment topics --create --topic t4 --replica-assignment 0,0
    step topics-list topics --list
    step topics-describe topics --describe --topic t1
    step topics-describe-overrides topics --describe --topics-with-overrides
    step topics-describe-missing topics --describe --topic none
    step topics-describe-unavailable topics --describe --unavailable-partitions
    step topics-alter topics --alter --topic t1 --partitions 4
    step topics-alter-fewer topics --alter --topic t1 --partitions 2
    step topics-describe-altered topics --describe --topic t1
    step topics-delete topics --delete --topic t4
    step topics-delete-missing topics --delete --topic none
}

config_steps() {
    step configs-alter-topic configs --alter --entity-type topics --entity-name t1 --add-config segment.ms=60000,cleanup.policy=[compact,delete]
    step configs-describe-topic configs --describe --entity-type topics --entity-name t1
    step configs-describe-topic-all sorted configs --describe --all --entity-type topics --entity-name t2
    step configs-alter-topic-bad configs --alter --entity-type topics --entity-name t1 --add-config segment.ms=soon
    step configs-alter-topic-unknown configs --alter --entity-type topics --entity-name t1 --add-config no.such=1
    step configs-delete-topic configs --alter --entity-type topics --entity-name t1 --delete-config segment.ms,cleanup.policy
    step configs-describe-topic-missing configs --describe --entity-type topics --entity-name none
    step configs-alter-broker configs --alter --entity-type brokers --entity-name 0 --add-config log.retention.ms=604800001
    step configs-describe-broker configs --describe --entity-type brokers --entity-name 0
    step configs-delete-broker configs --alter --entity-type brokers --entity-name 0 --delete-config log.retention.ms
    step configs-alter-broker-readonly configs --alter --entity-type brokers --entity-name 0 --add-config node.id=3
    step configs-alter-default configs --alter --entity-type brokers --entity-default --add-config log.retention.ms=604800002
    step configs-describe-default configs --describe --entity-type brokers --entity-default
    step configs-delete-default configs --alter --entity-type brokers --entity-default --delete-config log.retention.ms
    step configs-scram configs --alter --entity-type users --entity-name alice --add-config 'SCRAM-SHA-256=[iterations=8192,password=secret]'
    step configs-scram-two configs --alter --entity-type users --entity-name alice --add-config 'SCRAM-SHA-256=[password=secret],SCRAM-SHA-512=[password=secret]'
    step configs-describe-scram configs --describe --entity-type users --entity-name alice
    step configs-delete-scram configs --alter --entity-type users --entity-name alice --delete-config SCRAM-SHA-256
    step configs-quota configs --alter --entity-type users --entity-name bob --add-config producer_byte_rate=1024,request_percentage=50
    step configs-quota-client configs --alter --entity-type users --entity-name bob --entity-type clients --entity-default --add-config consumer_byte_rate=2048
    step configs-describe-quota quota_words
    step configs-describe-quota-client configs --describe --entity-type users --entity-name bob --entity-type clients --entity-default
    step configs-delete-quota configs --alter --entity-type users --entity-name bob --delete-config producer_byte_rate,request_percentage
}

quota_words() { configs --describe --entity-type users --entity-name bob | tr ' ,' '\n' | LC_ALL=C sort; }

record_steps() {
    seq -f 'record %05.0f' 1 1000 > "$work/sent"
    local codec
    for codec in none gzip snappy lz4 zstd; do
        topics --create --topic "codec-$codec" > /dev/null
        input=$work/sent step "console-producer-$codec" tool ConsoleProducer --topic "codec-$codec" --compression-codec "$codec"
        step "console-consumer-$codec" cksum_of consume --topic "codec-$codec" --from-beginning --max-messages 1000
    done
    sed 's/record \(.*\)/\1:record \1/' "$work/sent" > "$work/keyed"
    input=$work/keyed step console-producer-keyed tool ConsoleProducer --topic t1 --reader-property parse.key=true --reader-property key.separator=: --command-property max.in.flight.requests.per.connection=1
    step console-consumer-group cksum_of sorted consume --topic t1 --group g1 --from-beginning --max-messages 1000 --formatter-property print.key=true
    step console-consumer-protocol cksum_of sorted consume --topic t1 --group g2 --command-property group.protocol=consumer --command-property auto.offset.reset=earliest --max-messages 1000
    step console-consumer-partition consume --topic codec-none --partition 0 --offset 997 --max-messages 3 --formatter-property print.offset=true --formatter-property print.partition=true
    step offsets offsets --topic t1
    step offsets-earliest offsets --topic codec-none --time earliest
    step offsets-latest offsets --topic codec-none --time latest
    step offsets-max-timestamp max_timestamp
    step offsets-earliest-local offsets --topic codec-none --time -4
    step offsets-latest-tiered offsets --topic codec-none --time -5
    step offsets-earliest-pending offsets --topic codec-none --time -6
    step offsets-time offsets --topic codec-none --time 1
    step offsets-internal offsets --topic-partitions 't1:0,codec-.*:0'
    step offsets-missing offsets --topic none
    step verifiable-producer verifiable_producer
    step verifiable-consumer verifiable_consumer
    step producer-perf numbers run_java org.apache.kafka.tools.ProducerPerformance --topic t2 --num-records 5000 --record-size 100 --throughput -1 --bootstrap-server "$addr"
    step producer-perf-transactions numbers run_java org.apache.kafka.tools.ProducerPerformance --topic t2 --num-records 5000 --record-size 100 --throughput -1 --bootstrap-server "$addr" --transaction-duration-ms 50
    step consumer-perf perf_header run_java org.apache.kafka.tools.ConsumerPerformance --topic t2 --num-records 5000 --bootstrap-server "$addr" --timeout 20000
}

max_timestamp() { offsets --topic codec-none --time max-timestamp | sed -E 's/[0-9]+$/N/'; }
cksum_of() { "$@" 2> /dev/null | cksum; }
perf_header() { "$@" 2>&1 | head -1; }

verifiable_producer() {
    run_java org.apache.kafka.tools.VerifiableProducer --topic t2 --max-messages 200 --acks -1 --value-prefix 7 --bootstrap-server "$addr" |
        sed -E 's/"timestamp":[0-9]+/"timestamp":N/; s/"avg_throughput":[0-9.]+/"avg_throughput":N/' | grep -E 'startup|shutdown|"tool_data"|"value":"7.199"' | sed -E 's/"partition":[0-9]+/"partition":N/'
}

verifiable_consumer() {
    run_java org.apache.kafka.tools.VerifiableConsumer --topic t2 --max-messages 200 --group-id g3 --reset-policy earliest --bootstrap-server "$addr" |
        grep -oE '"name":"[a-z_]+"|"success":[a-z]+' | LC_ALL=C sort -u
}

group_steps() {
    step groups-list sorted groups --list
    step groups-list-state sorted groups --list --state
    step groups-list-type sorted groups --list --type
    step groups-describe sorted groups --describe --group g1
    step groups-describe-state sorted groups --describe --group g1 --state
    step groups-describe-members sorted groups --describe --group g1 --members --verbose
    step groups-describe-all-offsets sorted groups --describe --all-groups --offsets
    step groups-describe-missing sorted groups --describe --group none
    step groups-reset-dry sorted groups --reset-offsets --group g1 --topic t1 --to-earliest --dry-run
    step groups-reset sorted groups --reset-offsets --group g1 --topic t1 --to-earliest --execute
    step groups-reset-shift sorted groups --reset-offsets --group g1 --topic t1:0 --shift-by 2 --execute
    step groups-reset-offset sorted groups --reset-offsets --group g1 --topic t1:1 --to-offset 5 --execute
    step groups-reset-latest sorted groups --reset-offsets --group g1 --all-topics --to-latest --execute
    step groups-reset-export sorted groups --reset-offsets --group g1 --topic t1 --to-current --export
    step groups-reset-new sorted groups --reset-offsets --group g9 --topic t1 --to-latest --execute
    step groups-delete-offsets sorted groups --delete-offsets --group g1 --topic t1
    step groups-delete-offsets-missing sorted groups --delete-offsets --group none --topic t1
    step groups-delete sorted groups --delete --group g1
    step groups-delete-missing sorted groups --delete --group none
    step groups-all sorted tool GroupsCommand --list
    live_group_steps classic
    live_group_steps consumer
}

# live_group_steps PROTOCOL describes a group while a member is in it.
live_group_steps() {
    topics --create --topic "live-$1" --partitions 2 > /dev/null
    java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$classpath" org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$addr" \
        --topic "live-$1" --group "live-$1" --command-property "group.protocol=$1" > /dev/null 2>&1 &
    local pid=$! i
    pids+=("$pid")
    for i in $(seq 1 40); do
        groups --describe --group "live-$1" --state > "$work/state" 2>&1 || true
        grep -q Stable "$work/state" && break
    done
    step "groups-live-$1" sorted groups --describe --group "live-$1"
    step "groups-live-$1-members" sorted groups --describe --group "live-$1" --members --verbose
    step "groups-live-$1-state" sorted groups --describe --group "live-$1" --state --verbose
    step "groups-live-$1-delete" sorted groups --delete --group "live-$1"
    step "groups-live-$1-reset" sorted groups --reset-offsets --group "live-$1" --topic "live-$1" --to-earliest --execute
    stop "$pid"
}

acl_steps() {
    step acls-add tool AclCommand --add --allow-principal User:alice --operation Read --topic t1
    step acls-list tool AclCommand --list
    step acls-remove tool AclCommand --remove --force --allow-principal User:alice --operation Read --topic t1
}

admin_steps() {
    printf '{"partitions":[{"topic":"codec-none","partition":0,"offset":10}],"version":1}' > "$work/delete.json"
    step delete-records tool DeleteRecordsCommand --offset-json-file "$work/delete.json"
    step offsets-after-delete offsets --topic codec-none --time earliest
    printf '{"partitions":[{"topic":"codec-none","partition":0,"offset":5000}],"version":1}' > "$work/delete.json"
    step delete-records-beyond tool DeleteRecordsCommand --offset-json-file "$work/delete.json"
    step log-dirs log_dirs
    printf '{"partitions":[{"topic":"t1","partition":0}]}' > "$work/elect.json"
    step leader-election tool LeaderElectionCommand --election-type preferred --path-to-json-file "$work/elect.json"
    step leader-election-all tool LeaderElectionCommand --election-type unclean --all-topic-partitions
    step transactions-list-state transaction_header tool TransactionsCommand list
    step transactions-describe-missing tool TransactionsCommand describe --transactional-id none
    step transactions-producers transaction_header tool TransactionsCommand describe-producers --topic t2 --partition 0
    step transactions-hanging tool TransactionsCommand find-hanging --broker-id 0
    step api-versions sorted tool BrokerApiVersionsCommand
    step features sorted tool FeatureCommand describe
    step cluster-id cluster_id
    step cluster-brokers cluster list-endpoints
    step streams-reset run_java org.apache.kafka.tools.StreamsResetter --bootstrap-server "$addr" --application-id app --input-topics t1 --dry-run
    step client-metrics tool ClientMetricsCommand --list
}

transaction_header() { "$@" | awk 'NR == 1'; }
cluster_id() { cluster cluster-id | sed -E 's/: .*/: ID/'; }
log_dirs() {
    tool LogDirsCommand --describe --topic-list codec-zstd,t1 | tail -1 | sed -E 's/"(size|logDir|totalBytes|usableBytes)":("[^"]*"|[0-9]+)/"\1":N/g' | tr '{' '\n' | LC_ALL=C sort
}

# write prints the sections as one text.
write() {
    local f
    for f in "$out"/*; do printf -- '-- %s --\n' "${f##*/}"; cat "$f"; done
}

# section FILE NAME prints a section, without its reason.
section() { awk -v want="-- $2 --" '/^-- .* --$/ { on = ($0 == want); next } on && !/^# /' "$1"; }

# compare exits 1 when a section is not as Kafka prints it, or as it is written down.
compare() {
    local f name want failed=0 count=0
    for f in "$out"/*; do
        name=${f##*/}
        [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
        want=$golden
        ! grep -qx -- "-- $name --" "$exceptions" || want=$exceptions
        count=$((count + 1))
        section "$want" "$name" > "$work/want"
        diff "$work/want" "$f" > "$work/diff" && continue
        failed=$((failed + 1))
        echo "FAIL $name (< $(basename "$want")):"
        cat "$work/diff"
    done
    [ ! "${KEEP:-}" ] || cp -r "$out" "$KEEP"
    echo "$count tool runs compared with Kafka $kafka_version, $failed differ"
    [ $failed = 0 ]
}

fetch_kafka
case $mode in
    record) start_kafka "$work/server" ;;
    check) start_sluice "$work/server" ;;
    *) echo "usage: tools.sh record|check [NAME...]" >&2; exit 2 ;;
esac
topic_steps
config_steps
record_steps
group_steps
acl_steps
admin_steps
echo >&2
case $mode in
    record) write > "$golden" ;;
    check) compare "$@" ;;
esac

#!/bin/sh
# Runs Apache Kafka's own command line tools against a running broker:
#
#     test/conformance/java-console.sh HOST:PORT
#
# Needs Java 17 and Maven, which downloads the tools (KAFKA_VERSION, default 4.1.0)
# once. Prints one line per check and exits 1 at the first that fails.
set -eu

addr=${1:?usage: $0 HOST:PORT}
version=${KAFKA_VERSION:-4.1.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test/kafka-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch_tools() {
    mkdir -p "$cache"
    cat > "$cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>kafka-tools</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
    (cd "$cache" && mvn -q -B dependency:build-classpath -Dmdep.outputFile=classpath.tmp && mv classpath.tmp classpath)
}

[ -s "$cache/classpath" ] || fetch_tools
classpath=$(cat "$cache/classpath")

tool() {
    class=$1
    shift
    timeout 90 java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$classpath" "org.apache.kafka.tools.$class" --bootstrap-server "$addr" "$@"
}

# expect NAME PATTERN FILE: the file must have a line that matches.
expect() {
    if ! grep -Eq -- "$2" "$3"; then
        echo "FAIL $1: no line matches $2 in:" >&2
        cat "$3" >&2
        exit 1
    fi
    echo "ok   $1"
}

# same NAME WANT GOT
same() {
    if ! cmp -s "$2" "$3"; then
        echo "FAIL $1:" >&2
        diff "$2" "$3" >&2 | head -20
        exit 1
    fi
    echo "ok   $1"
}

topic=java-$$
group=java-group-$$
out=$work/out

tool TopicCommand --create --topic "$topic" --partitions 3 --replication-factor 1 --config retention.ms=86400000 > "$out" 2>&1 || { cat "$out"; exit 1; }
expect "kafka-topics --create" "Created topic $topic" "$out"
tool TopicCommand --create --topic "$topic-defaults" > "$out" 2>&1 || { cat "$out"; exit 1; }
expect "kafka-topics --create with the broker's defaults" "Created topic $topic-defaults" "$out"
tool TopicCommand --create --topic "$topic" > "$out" 2>&1 || true
expect "kafka-topics --create of what exists" "already exists" "$out"
tool TopicCommand --list > "$out" 2>&1
expect "kafka-topics --list" "^$topic\$" "$out"
tool TopicCommand --describe --topic "$topic" > "$out" 2>&1
expect "kafka-topics --describe" "PartitionCount: 3.*ReplicationFactor: 1.*retention.ms=86400000" "$out"
expect "kafka-topics --describe partition" "Partition: 2.*Leader: [0-9]+.*Isr: [0-9]+" "$out"
tool TopicCommand --alter --topic "$topic" --partitions 4 > "$out" 2>&1
tool TopicCommand --describe --topic "$topic" > "$out" 2>&1
expect "kafka-topics --alter" "PartitionCount: 4" "$out"

seq -f "record %05.0f" 1 1000 > "$work/sent"
for codec in none gzip snappy lz4 zstd; do
    t=$topic-$codec
    tool ConsoleProducer --topic "$t" --compression-codec "$codec" < "$work/sent" > "$out" 2>&1 || { cat "$out"; exit 1; }
    tool consumer.ConsoleConsumer --topic "$t" --from-beginning --max-messages 1000 --timeout-ms 30000 > "$work/got" 2> "$out" || { cat "$out"; exit 1; }
    same "console producer and consumer, $codec" "$work/sent" "$work/got"
done

sed 's/record \(.*\)/\1:record \1/' "$work/sent" > "$work/keyed"
tool ConsoleProducer --topic "$topic" --producer-property acks=all --property parse.key=true --property key.separator=: < "$work/keyed" > "$out" 2>&1
tool consumer.ConsoleConsumer --topic "$topic" --group "$group" --from-beginning --max-messages 1000 --timeout-ms 60000 > "$work/got" 2> "$out" || { cat "$out"; exit 1; }
sort "$work/got" > "$work/sorted"
same "console consumer in a group" "$work/sent" "$work/sorted"

tool GetOffsetShell --topic "$topic" > "$out" 2>&1
awk -F: '{ n += $3 } END { print "sum " n }' "$out" >> "$out"
expect "kafka-get-offsets" "^sum 1000\$" "$out"
tool GetOffsetShell --topic "$topic" --time max-timestamp > "$out" 2>&1
expect "kafka-get-offsets --time max-timestamp" "^$topic:[0-3]:[0-9]+" "$out"

tool consumer.group.ConsumerGroupCommand --list > "$out" 2>&1
expect "kafka-consumer-groups --list" "^$group\$" "$out"
tool consumer.group.ConsumerGroupCommand --describe --group "$group" > "$out" 2>&1
expect "kafka-consumer-groups --describe" "^$group +$topic +[0-3] +[0-9]+ +[0-9]+ +0 " "$out"
tool consumer.group.ConsumerGroupCommand --describe --group "$group" --state > "$out" 2>&1
expect "kafka-consumer-groups --describe --state" "$group.*Empty +0" "$out"
tool consumer.group.ConsumerGroupCommand --reset-offsets --group "$group" --topic "$topic" --to-earliest --execute > "$out" 2>&1
expect "kafka-consumer-groups --reset-offsets" "$topic +[0-3] +0" "$out"
tool consumer.ConsoleConsumer --topic "$topic" --group "$group" --max-messages 1000 --timeout-ms 60000 > "$work/got" 2> "$out" || { cat "$out"; exit 1; }
sort "$work/got" > "$work/sorted"
same "the group starts over after the reset" "$work/sent" "$work/sorted"
tool consumer.group.ConsumerGroupCommand --delete-offsets --group "$group" --topic "$topic" > "$out" 2>&1
expect "kafka-consumer-groups --delete-offsets" "Successful" "$out"
tool consumer.group.ConsumerGroupCommand --delete --group "$group" > "$out" 2>&1
expect "kafka-consumer-groups --delete" "was successful" "$out"
tool consumer.group.ConsumerGroupCommand --describe --group "$group" > "$out" 2>&1 || true
expect "kafka-consumer-groups --describe of what is gone" "not found|does not exist" "$out"

printf '{"partitions":[{"topic":"%s","partition":0,"offset":-1}],"version":1}' "$topic" > "$work/delete.json"
tool DeleteRecordsCommand --offset-json-file "$work/delete.json" > "$out" 2>&1
expect "kafka-delete-records" "partition: $topic-0.*low_watermark: [0-9]+" "$out"
tool LogDirsCommand --describe --topic-list "$topic" > "$out" 2>&1
expect "kafka-log-dirs" "\"partition\":\"$topic-3\"" "$out"
tool TopicCommand --delete --topic "$topic" > "$out" 2>&1
tool TopicCommand --list > "$out" 2>&1
if grep -q "^$topic\$" "$out"; then echo "FAIL kafka-topics --delete" >&2; exit 1; fi
echo "ok   kafka-topics --delete"
echo "all passed (Apache Kafka $version tools)"

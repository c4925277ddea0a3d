"""What a kafka-python application does, against the broker in argv[1]."""
import sys
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

ADDR = sys.argv[1]


def check(name, got, want):
    if got != want:
        print("%s: got %r, want %r" % (name, got, want))
        sys.exit(1)
    print("ok", name)


def commit_value(offset, text):
    try:
        return OffsetAndMetadata(offset, text)
    except TypeError:  # since 2.1 with a leader epoch
        return OffsetAndMetadata(offset, text, -1)


print("kafka-python", kafka.__version__)
admin = KafkaAdminClient(bootstrap_servers=ADDR)
admin.create_topics([NewTopic("made", 2, 1)])
check("created", "made" in admin.list_topics(), True)
admin.create_partitions({"made": NewPartitions(3)})

producer = KafkaProducer(bootstrap_servers=ADDR, acks="all", compression_type="gzip", linger_ms=20)
base = int(time.time() * 1000) - 100000
for i in range(30):
    producer.send("made", key=b"k%d" % i, value=b"v%d" % i, partition=i % 3, timestamp_ms=base + i,
                  headers=[("h", b"x")])
producer.send("auto", b"created by use")
producer.flush()

parts = [TopicPartition("made", p) for p in range(3)]
plain = KafkaConsumer(bootstrap_servers=ADDR, consumer_timeout_ms=20000)
check("partitions", plain.partitions_for_topic("made"), {0, 1, 2})
check("beginning", plain.beginning_offsets(parts), {p: 0 for p in parts})
check("end", plain.end_offsets(parts), {p: 10 for p in parts})
found = plain.offsets_for_times({parts[0]: base, parts[1]: base + 2, parts[2]: base + 1000})
check("exact time", found[parts[0]].offset, 0)
check("time between", found[parts[1]].offset, 1)
check("time after all", found[parts[2]], None)
plain.close()


def consume(n):
    c = KafkaConsumer("made", bootstrap_servers=ADDR, group_id="py", auto_offset_reset="earliest",
                      enable_auto_commit=False, consumer_timeout_ms=20000)
    got = []
    for r in c:
        got.append(r)
        if len(got) == n:
            break
    c.commit({TopicPartition("made", p): commit_value(1 + max(r.offset for r in got if r.partition == p), "m%d" % p)
              for p in {r.partition for r in got}})
    c.close()
    return got


got = consume(30)
check("values", sorted(r.value for r in got), sorted(b"v%d" % i for i in range(30)))
check("headers", {tuple(r.headers) for r in got}, {(("h", b"x"),)})
check("timestamps", sorted(r.timestamp for r in got), [base + i for i in range(30)])
if hasattr(admin, "list_group_offsets"):  # since 3.0
    offsets = admin.list_group_offsets("py")["py"]
else:
    offsets = admin.list_consumer_group_offsets("py")
check("committed", {tp.partition: (o.offset, o.metadata) for tp, o in offsets.items()},
      {p: (10, "m%d" % p) for p in range(3)})
for i in range(3):
    producer.send("made", b"more%d" % i, partition=i)
producer.flush()
check("continues", sorted(r.value for r in consume(3)), [b"more0", b"more1", b"more2"])
admin.delete_topics(["auto"])
check("deleted", "auto" in admin.list_topics(), False)
producer.close()
admin.close()
print("all passed")

"""kafka-python as a judge: one JSON request a line on stdin, one answer a line on stdout."""
import base64
import json
import sys
import threading
import traceback

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.structs import OffsetAndMetadata

OLD = kafka.__version__.startswith("2.0.")
ASSIGNORS = {"": RangePartitionAssignor, "range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}
members = {}
producers = {}


def encode(b):
    return None if b is None else base64.b64encode(b).decode()


def decode(s):
    return None if s is None else base64.b64decode(s)


def encode_record(r):
    return {"partition": r.partition, "offset": r.offset, "timestamp": r.timestamp, "key": encode(r.key),
            "value": encode(r.value), "headers": [[k, encode(v)] for k, v in r.headers]}


def send(producer, topic, records):
    futures = []
    for r in records:
        futures.append(producer.send(
            topic, partition=r["partition"], key=decode(r["key"]), value=decode(r["value"]),
            timestamp_ms=r["timestamp"] or None, headers=[(k, decode(v) or b"") for k, v in r["headers"]]))
    producer.flush(60)
    for f in futures:
        f.get(60)


def produce(q):
    conf = {"acks": {"0": 0, "1": 1}.get(q["acks"], "all"), "linger_ms": 20, "max_request_size": 4 << 20,
            "compression_type": None if q["codec"] in ("", "none") else q["codec"]}
    if not OLD:
        conf["enable_idempotence"] = q["idempotent"]
    producer = KafkaProducer(bootstrap_servers=q["addr"], **conf)
    send(producer, q["topic"], q["records"])
    producer.close()


def consume(q):
    conf = {}
    if q["committed"]:
        conf["isolation_level"] = "read_committed"
    if q["maxBytes"]:
        conf["max_partition_fetch_bytes"] = q["maxBytes"]
    consumer = KafkaConsumer(bootstrap_servers=q["addr"], consumer_timeout_ms=30000, auto_offset_reset="none",
                             fetch_max_wait_ms=100, **conf)
    tp = TopicPartition(q["topic"], q["partition"])
    consumer.assign([tp])
    consumer.seek(tp, q["from"])
    got = []
    for r in consumer:
        got.append(encode_record(r))
        if len(got) == q["n"]:
            break
    consumer.close()
    return got


def times(q):
    consumer = KafkaConsumer(bootstrap_servers=q["addr"])
    tp = TopicPartition(q["topic"], 0)
    found = consumer.offsets_for_times({tp: q["ms"]})[tp]
    consumer.close()
    return -1 if found is None else found.offset


class Member(threading.Thread):
    """A consumer with a thread of its own: joining a group blocks until the others have joined, too."""

    def __init__(self, q):
        super().__init__(daemon=True)
        conf = {"group_instance_id": q["instance"]} if q["instance"] else {}
        self.consumer = KafkaConsumer(
            q["topic"], bootstrap_servers=q["addr"], group_id=q["group"], auto_offset_reset="earliest",
            enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500, fetch_max_wait_ms=50,
            partition_assignment_strategy=[ASSIGNORS[q["assignor"]]], **conf)
        self.lock = threading.Lock()  # guards records and assigned
        self.records, self.assigned, self.error = [], [], None
        self.leaving = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.leaving.is_set():
                self.step()
            self.consumer.close()
        except Exception:  # all of them are the test's business
            self.error = traceback.format_exc()

    def step(self):
        records = [r for part in self.consumer.poll(timeout_ms=50).values() for r in part]
        with self.lock:
            self.records += records
            self.assigned = sorted(tp.partition for tp in self.consumer.assignment())
        if not records:
            return
        try:
            self.consumer.commit({TopicPartition(r.topic, r.partition): offset_and_metadata(r.offset + 1) for r in records})
        except kafka.errors.KafkaError:
            pass  # shows as records that come again

    def take(self):
        if self.error:
            raise RuntimeError(self.error)
        with self.lock:
            records, self.records = self.records, []
            return {"records": [encode_record(r) for r in records], "assigned": self.assigned}


def join(q):
    members[q["id"]] = Member(q)


def poll(q):
    return members[q["id"]].take()


def leave(q):
    member = members.pop(q["id"])
    member.leaving.set()
    member.join()
    return member.take()


def offset_and_metadata(offset):
    return OffsetAndMetadata(offset, "") if OLD else OffsetAndMetadata(offset, "", -1)


def transact(q):
    producers[q["id"]] = KafkaProducer(bootstrap_servers=q["addr"], transactional_id=q["id"], acks="all", linger_ms=5,
                                       transaction_timeout_ms=30000)
    producers[q["id"]].init_transactions()


def begin(q):
    producers[q["id"]].begin_transaction()


def transaction_send(q):
    send(producers[q["id"]], q["topic"], q["records"])


def transaction_offsets(q):
    producers[q["id"]].send_offsets_to_transaction({TopicPartition(q["topic"], 0): offset_and_metadata(q["next"])}, q["group"])


def end(q):
    if q["commit"]:
        producers[q["id"]].commit_transaction()
    else:
        producers[q["id"]].abort_transaction()


def close(q):
    producers.pop(q["id"]).close()


OPERATIONS = {f.__name__: f for f in (produce, consume, times, join, poll, leave, transact, begin, transaction_send,
                                      transaction_offsets, end, close)}
out = sys.stdout
sys.stdout = sys.stderr  # the library may print
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": OPERATIONS[request["op"]](request)}
    except Exception:  # all of them are the test's business
        answer = {"error": traceback.format_exc()}
    out.write(json.dumps(answer) + "\n")
    out.flush()

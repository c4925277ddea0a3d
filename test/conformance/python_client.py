"""Judges a broker with confluent-kafka-python (librdkafka): python_client.py HOST:PORT.

Prints a line for each scenario and exits 1 when one failed.
"""
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType

ADDRESS = sys.argv[1]
RUN = uuid.uuid4().hex[:8]


def topic(admin, name, partitions=1, **config):
    name = f"{name}-{RUN}"
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(20)
    return name


def produce(producer, name, values):
    failed = []
    for v in values:
        producer.produce(name, key=v, value=v, on_delivery=lambda err, _: failed.append(err) if err else None)
    producer.flush(30)
    assert not failed, failed


def consume(name, n, **config):
    c = Consumer({"bootstrap.servers": ADDRESS, "group.id": f"g-{name}", "auto.offset.reset": "earliest", "enable.auto.commit": False, **config})
    c.subscribe([name])
    values, end = [], time.monotonic() + 60
    while len(values) < n and time.monotonic() < end:
        m = c.poll(0.5)
        if m is not None:
            assert not m.error(), m.error()
            values.append(m.value().decode())
    m = c.poll(1)
    assert m is None, f"more than {n} records"
    c.commit(asynchronous=False) if values else None
    c.close()
    assert len(values) == n, f"{len(values)} records, want {n}"
    return values


def codecs(admin):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        name = topic(admin, f"py-{codec}")
        values = [f"{i:05d}" for i in range(2000)]
        produce(Producer({"bootstrap.servers": ADDRESS, "compression.type": codec, "linger.ms": 20, "enable.idempotence": True}), name, values)
        assert consume(name, 2000) == values, codec


def groups(admin):
    for protocol in ("classic", "consumer"):
        name = topic(admin, f"py-{protocol}", 3)
        produce(Producer({"bootstrap.servers": ADDRESS}), name, [str(i) for i in range(300)])
        assert sorted(consume(name, 300, **{"group.protocol": protocol})) == sorted(str(i) for i in range(300))
        committed = admin.list_consumer_group_offsets([consumer_group(name)])[f"g-{name}"].result(20)
        assert sum(p.offset for p in committed.topic_partitions) == 300, committed.topic_partitions


def consumer_group(name):
    from confluent_kafka import ConsumerGroupTopicPartitions
    return ConsumerGroupTopicPartitions(f"g-{name}")


def transactions(admin):
    name = topic(admin, "py-transactions")
    p = Producer({"bootstrap.servers": ADDRESS, "transactional.id": f"py-{RUN}"})
    p.init_transactions(30)
    for i in range(6):
        p.begin_transaction()
        p.produce(name, value=str(i))
        c = Consumer({"bootstrap.servers": ADDRESS, "group.id": f"py-txn-{RUN}"})
        p.send_offsets_to_transaction([TopicPartition(name, 0, i)], c.consumer_group_metadata(), 30)
        c.close()
        p.commit_transaction(30) if i % 2 == 0 else p.abort_transaction(30)
    assert consume(name, 3, **{"isolation.level": "read_committed"}) == ["0", "2", "4"]
    c = Consumer({"bootstrap.servers": ADDRESS, "group.id": f"py-txn-{RUN}"})
    assert c.committed([TopicPartition(name, 0)], 20)[0].offset == 4
    c.close()
    zombie = Producer({"bootstrap.servers": ADDRESS, "transactional.id": f"py-z-{RUN}"})
    zombie.init_transactions(30)
    zombie.begin_transaction()
    zombie.produce(name, value="zombie")
    zombie.flush(30)
    Producer({"bootstrap.servers": ADDRESS, "transactional.id": f"py-z-{RUN}"}).init_transactions(30)
    try:
        zombie.commit_transaction(30)
        raise AssertionError("the zombie committed")
    except KafkaException as e:
        assert e.args[0].fatal() or e.args[0].txn_requires_abort(), e


def administration(admin):
    name = topic(admin, "py-admin", 2, **{"retention.ms": "86400000"})
    resource = ConfigResource(ResourceType.TOPIC, name)
    assert admin.describe_configs([resource])[resource].result(20)["retention.ms"].value == "86400000"
    admin.create_partitions([NewPartitions(name, 4)])[name].result(20)
    assert len(admin.list_topics(name, timeout=20).topics[name].partitions) == 4
    produce(Producer({"bootstrap.servers": ADDRESS}), name, ["a", "b", "c"])
    parts = [TopicPartition(name, i) for i in range(4)]
    ends = [f.result(20).offset for f in admin.list_offsets({p: OffsetSpec.latest() for p in parts}).values()]
    assert sum(ends) == 3, ends
    for f in admin.delete_records([TopicPartition(name, i, -1) for i in range(4)]).values():
        f.result(20)
    assert name in admin.describe_topics(__import__("confluent_kafka").TopicCollection([name]))
    assert len(admin.describe_cluster().result(20).nodes) == 1
    admin.delete_topics([name])[name].result(20)


def main():
    admin = AdminClient({"bootstrap.servers": ADDRESS})
    failed = 0
    for scenario in (codecs, groups, transactions, administration):
        try:
            scenario(admin)
            print(f"ok   {scenario.__name__}", flush=True)
        except Exception as e:  # one line for each, whatever it is
            failed += 1
            print(f"FAIL {scenario.__name__}: {type(e).__name__}: {e}", flush=True)
    sys.exit(1 if failed else 0)


main()

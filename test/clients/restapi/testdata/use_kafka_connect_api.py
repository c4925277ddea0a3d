"""Does with kafka-connect-api what its users do. Arguments: URL, file to read."""

import sys
import time

from kafka_connect_api.errors import GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

url, path = sys.argv[1:]
cluster = Cluster(Api(url=url))


def until(what, f):
    for _ in range(600):
        try:
            if f():
                return
        except GenericNotFound:
            pass  # no status yet
        time.sleep(0.05)
    raise AssertionError("waited in vain for " + what)


assert cluster.version.split(".")[0] == "4" and cluster.kafka_cluster
c = Connector(cluster, "api")
assert "api" not in cluster.connectors  # exists() raises for a 404, whoever answers it
c.config = {"connector.class": "FileStreamSource", "file": path, "topic": "api", "tasks.max": "1"}
assert c.exists() and list(cluster.connectors) == ["api"]
assert c.config["topic"] == "api" and c.connector_class == "FileStreamSource"
until("a task", lambda: len(c.tasks) == 1)
until("the task to run", lambda: c.tasks[0].is_running())
c.pause()
until("the connector to pause", lambda: c.state == "PAUSED")
c.resume()
until("the connector to run", lambda: c.state == "RUNNING")
c.restart()
c.restart_all_tasks()
c.cycle_connector()
until("the task to run", lambda: c.state == "RUNNING" and c.tasks[0].is_running())
cluster.root_logger = "DEBUG"
assert cluster.root_logger["level"] == "DEBUG", cluster.root_logger
cluster.set_logger_log_level("root", "WARN")
assert cluster.loggers["root"]["level"] == "WARN"
c.delete()
assert not cluster.connectors
print("all passed")

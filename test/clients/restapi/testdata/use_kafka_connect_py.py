"""Does with kafka-connect-py what its users do. Arguments: URL, file to read."""

import sys
import time

from kafka_connect import KafkaConnect
from requests.exceptions import HTTPError

url, path = sys.argv[1:]
c = KafkaConnect(url=url)


def until(what, f):
    for _ in range(600):
        try:
            if f():
                return
        except HTTPError as e:
            assert e.response.status_code == 404, e  # no status yet
        time.sleep(0.05)
    raise AssertionError("waited in vain for " + what)


def states(name):
    s = c.get_connector_status(name)
    return [s["connector"]["state"]] + [t["state"] for t in s["tasks"]]


assert c.get_cluster_info()["version"].split(".")[0] == "4"
source = {"connector.class": "FileStreamSource", "file": path, "topic": "py", "tasks.max": 1}
classes = {p["class"] for p in c.list_connector_plugins()}
assert "org.apache.kafka.connect.file.FileStreamSourceConnector" in classes, classes
assert c.validate_connector_config("FileStreamSource", dict(source, name="py"))["error_count"] == 0
assert c.validate_connector_config("FileStreamSource", {"connector.class": "FileStreamSource"})["error_count"] == 2

assert c.create_connector({"name": "py", "config": source})["type"] == "source"
try:
    c.create_connector({"name": "py", "config": source})
    raise AssertionError("made twice")
except HTTPError as e:
    assert e.response.status_code == 409, e
until("py to run", lambda: states("py") == ["RUNNING", "RUNNING"])
assert c.list_connectors() == ["py"]
assert c.list_connectors(expand="status")["py"]["status"]["connector"]["state"] == "RUNNING"
assert c.list_connectors(expand="info")["py"]["info"]["config"]["tasks.max"] == "1"
assert list(c.list_connectors(pattern="p.*", state="RUNNING")) == ["py"]
assert c.get_connector_config("py") == {"name": "py", "connector.class": "FileStreamSource", "file": path, "topic": "py", "tasks.max": "1"}
assert c.get_connector("py")["tasks"] == [{"connector": "py", "task": 0}]
assert c.update_connector("py", dict(source, **{"batch.size": 5}))["config"]["batch.size"] == "5"
until("the topic", lambda: c.list_connector_topics("py")["py"]["topics"] == ["py"])
c.reset_connector_topics("py")
c.pause_connector("py")
until("py to pause", lambda: states("py") == ["PAUSED", "PAUSED"])
c.resume_connector("py")
until("py to run", lambda: states("py") == ["RUNNING", "RUNNING"])
c.stop_connector("py")
until("py to stop", lambda: states("py") == ["STOPPED"])
c.resume_connector("py")
until("py to run", lambda: states("py") == ["RUNNING", "RUNNING"])
assert c.restart_connector("py") is None
assert c.restart_connector("py", include_tasks=True)["connector"]["state"] == "RESTARTING"
c.restart_connector("py", include_tasks=True, only_failed=True)
until("py to run", lambda: states("py") == ["RUNNING", "RUNNING"])
assert len(c.list_connector_tasks("py")) == 1
c.restart_connector_task("py", 0)
until("task 0 to run", lambda: c.get_connector_task_status("py", 0)["state"] == "RUNNING")
c.pause_all_connectors(pattern="py")
until("py to pause", lambda: states("py") == ["PAUSED", "PAUSED"])
c.delete_all_connectors()
assert c.list_connectors() == []
try:
    c.get_connector_status("py")
    raise AssertionError("still there")
except HTTPError as e:
    assert e.response.status_code == 404, e
print("all passed")

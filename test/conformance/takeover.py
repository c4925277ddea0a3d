"""Talks to a worker for takeover.sh. Arguments: URL, directory of files, command..."""

import json
import sys
import time
import urllib.error
import urllib.request

url, files, command, *args = sys.argv[1:]
PATIENCE = 90  # seconds


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    for attempt in range(60):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as e:
            if e.code == 404 and method == "GET":
                return None
            if e.code not in (409, 500) or attempt == 59:
                raise SystemExit(f"{method} {path}: {e.code} {e.read().decode()}")
            time.sleep(0.5)  # a rebalance


def until(what, f):
    end = time.time() + PATIENCE
    while not f():
        if time.time() > end:
            raise SystemExit(f"waited in vain: {what}")
        time.sleep(0.2)


def states(name):
    s = call("GET", f"/connectors/{name}/status")
    if s is None:
        return []  # not yet
    return [s["connector"]["state"]] + [t["state"] for t in s["tasks"]]


def offsets(name):
    known = call("GET", f"/connectors/{name}/offsets") or {"offsets": []}
    return sorted(json.dumps(o, sort_keys=True) for o in known["offsets"])


SOURCE = {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": f"{files}/in.txt", "topic": "lines", "batch.size": "1000"}
SINK = {"connector.class": "FileStreamSinkConnector", "file": f"{files}/out.txt", "topics": "lines", "tasks.max": "1", "errors.tolerance": "all"}
WANTED = {"src": ["RUNNING", "RUNNING"], "snk": ["RUNNING", "RUNNING"], "paused": ["PAUSED", "PAUSED"], "stopped": ["STOPPED"]}


def health():
    try:
        with urllib.request.urlopen(url + "/health", timeout=15) as answer:
            return json.load(answer)["status"] == "healthy"
    except (OSError, ValueError):
        return False


def file_size(name):
    with open(f"{files}/{name}") as f:
        return len(f.read())


def settled():
    """Whether the connectors are where they should be, and their offsets at the end."""
    names = call("GET", "/connectors")
    if any(states(n) != WANTED.get(n, ["RUNNING", "RUNNING"]) for n in names):
        return False
    with open(f"{files}/in.txt") as f:
        lines = len(f.read().splitlines())
    position = {"partition": {"filename": f"{files}/in.txt"}, "offset": {"position": file_size("in.txt")}}
    consumed = {"partition": {"kafka_partition": 0, "kafka_topic": "lines"}, "offset": {"kafka_offset": lines}}
    return offsets("src") == [json.dumps(position, sort_keys=True)] and offsets("snk") == [json.dumps(consumed, sort_keys=True)]


if command == "await-health":
    until("a healthy worker", health)
elif command == "version":
    print(call("GET", "/")["version"])
elif command == "create":
    call("POST", "/connectors", {"name": "src", "config": SOURCE})
    call("POST", "/connectors", {"name": "snk", "config": SINK})
    for name in ("paused", "stopped"):
        call("POST", "/connectors", {"name": name, "config": dict(SOURCE, file=f"{files}/{name}.txt", topic=name)})
        until(f"{name} to run", lambda: states(name) == ["RUNNING", "RUNNING"])
    call("PUT", "/connectors/paused/pause")
    call("PUT", "/connectors/stopped/stop")
elif command == "settle":
    until("connectors and offsets to settle", settled)
elif command == "snapshot":
    for name in sorted(call("GET", "/connectors")):
        info = call("GET", f"/connectors/{name}")
        print(name, info["type"], json.dumps(info["config"], sort_keys=True))
        print(name, "states", " ".join(states(name)))
        print(name, "tasks", len(call("GET", f"/connectors/{name}/tasks")))
        print(name, "offsets", " ".join(offsets(name)))
        print(name, "topics", *sorted(call("GET", f"/connectors/{name}/topics")[name]["topics"]))
elif command == "await-lines":
    last = f"line {args[0]}\n"

    def there():
        try:
            with open(f"{files}/out.txt") as f:
                return f.read().endswith(last)
        except FileNotFoundError:
            return False

    until(f"{last.strip()} in the sink's file", there)
elif command == "change":
    # A config, a pause, a stop with an offset, and a new connector.
    number = len(call("GET", "/connectors"))
    call("PUT", "/connectors/src/config", dict(SOURCE, **{"batch.size": str(1000 + number)}))
    call("PUT", "/connectors/src/stop")
    until("src to stop", lambda: states("src") == ["STOPPED"])
    size = file_size("in.txt")
    moved = {"offsets": [{"partition": {"filename": f"{files}/in.txt"}, "offset": {"position": size}}]}
    call("PATCH", "/connectors/src/offsets", moved)
    call("PUT", "/connectors/src/resume")
    call("POST", "/connectors", {"name": f"new-{number}", "config": dict(SOURCE, file=f"{files}/new.txt", topic="new")})
    until("src to run", lambda: states("src") == ["RUNNING", "RUNNING"])
    print(f"changed the config of src, set its offset to {size}, made new-{number}")
elif command == "delete":
    for name in call("GET", "/connectors"):
        call("DELETE", f"/connectors/{name}")
    until("no connectors", lambda: call("GET", "/connectors") == [])
else:
    raise SystemExit(f"no command {command}")

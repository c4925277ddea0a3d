# Sourced by scripts beside it, after lib.sh: a worker of Apache Kafka Connect with Debezium at http://127.0.0.1:$rest, on the log of the binary that is
# built here. Its own log is $connect_log.
. "$here/debezium/jars.sh"
connect_log=${RECORD_LOG:-$work/connect.log}
start_sluice "$work/log"
rest=$(free_port)
worker_properties debezium json.JsonConverter offset.flush.interval.ms=500 "listeners=http://127.0.0.1:$rest" plugin.discovery=service_load > "$work/worker.properties"
start_connect "$(cat "$(debezium_jars)")" "$work/worker.properties" "$connect_log" -Xmx768m -Duser.timezone=UTC
wait_port "$rest" "$connect_pid" "Kafka Connect" "$connect_log"

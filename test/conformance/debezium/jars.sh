# Sourced by scripts beside it, after lib.sh: debezium_jars prints the name of the file with the class path of Debezium's Postgres connector, a worker of
# Kafka Connect, and the Avro converter of Apicurio's registry, which Debezium's images ship.
#
# 3.7.0 is the newest version of which every part was to be had: of 3.7.1 the module
# debezium-connector-common is not served.
debezium_version=${DEBEZIUM_VERSION:-3.7.0.Final}
apicurio_version=${APICURIO_VERSION:-2.6.13.Final}
debezium_jars() {
    maven "debezium-$debezium_version-$connect_version-$apicurio_version" "${connect_worker[@]}" \
        "io.debezium:debezium-connector-postgres:$debezium_version" "io.apicurio:apicurio-registry-utils-converter:$apicurio_version"
}

#!/bin/bash
# Fetches Kafka Connect and Camel's sink for S3 from Maven Central and prints the name of the file that holds
# their class path, for bench -s3sink. 0.11.0, of 2021, is the newest version of which every part was to be had; Jackson is one that the worker
# can use.
set -eu
. "$(dirname "$0")/lib.sh"
maven camel-0.11.0 "${connect_worker[@]}" com.fasterxml.jackson.core:jackson-core:2.21.2 org.apache.camel.kafkaconnector:camel-kafka-connector:0.11.0 org.apache.camel:camel-aws2-s3:3.11.1

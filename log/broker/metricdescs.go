package broker

import "github.com/sluice-data/sluice/internal/metrics"

// descs are the broker's metric families. Names are those of Kafka's JMX exporter and, for consumer groups, of kafka_exporter,
// so that dashboards and alerts made for Kafka work; what has no counterpart there begins with sluice_.
type descs struct {
	all []*metrics.Desc

	messagesIn, bytesIn, bytesOut, bytesRejected                  *metrics.Desc
	produceRequests, fetchRequests, failedProduces, failedFetches *metrics.Desc
	requests, requestErrors, requestTime                          *metrics.Desc
	connections, connectionsCreated, connectionsRefused           *metrics.Desc

	brokerState, activeController, controllerTopics, controllerPartitions, controllerOffline     *metrics.Desc
	partitionCount, leaderCount, underReplicated, underMinISR, offlineReplicas, lateTransactions *metrics.Desc
	offlineDirs, flushTime                                                                       *metrics.Desc
	logSize, logStart, logEnd, logSegments, partitionUnderMinISR                                 *metrics.Desc

	brokers, topicPartitions, currentOffset, oldestOffset, partitionLeader, partitionISR, partitionUnderReplicated *metrics.Desc
	groups, groupsByState, groupOffsets                                                                            *metrics.Desc
	groupOffset, groupLag, groupOffsetSum, groupLagSum, groupMembers, groupSeriesDropped                           *metrics.Desc

	syncSeconds, syncRounds, volumeSyncs, dirTotal, dirUsable, openTransactions, oldestTransaction *metrics.Desc
	cleanings, failedCleanings, cleanedBytes, cleanerIdle, dirtyPercent                            *metrics.Desc
	fetchSessions, fetchSessionPartitions, fetchSessionEvictions                                   *metrics.Desc
}

func (d *descs) add(name string, typ metrics.Type, help string, labels ...string) *metrics.Desc {
	m := &metrics.Desc{Name: name, Type: typ, Help: help, Labels: labels}
	d.all = append(d.all, m)
	return m
}

func (d *descs) counter(name, help string, labels ...string) *metrics.Desc {
	return d.add(name, metrics.CounterType, help, labels...)
}

func (d *descs) gauge(name, help string, labels ...string) *metrics.Desc {
	return d.add(name, metrics.GaugeType, help, labels...)
}

func newDescs() *descs {
	d := &descs{}
	d.addTraffic()
	d.addServer()
	d.addPartitions()
	d.addGroups()
	d.addOwn()
	return d
}

func (d *descs) addTraffic() {
	const topic = "kafka_server_brokertopicmetrics_"
	d.messagesIn = d.counter(topic+"messagesin_total", "Records appended; without a topic: all.", "topic")
	d.bytesIn = d.counter(topic+"bytesin_total", "Bytes of record batches appended, as they came; without a topic: all.", "topic")
	d.bytesOut = d.counter(topic+"bytesout_total", "Bytes of record batches fetched; without a topic: all.", "topic")
	d.bytesRejected = d.counter(topic+"bytesrejected_total", "Bytes of record batches refused; without a topic: all.", "topic")
	d.produceRequests = d.counter(topic+"totalproducerequests_total", "Batches that producers sent; without a topic: all.", "topic")
	d.fetchRequests = d.counter(topic+"totalfetchrequests_total", "Partitions that fetches answered; without a topic: all.", "topic")
	d.failedProduces = d.counter(topic+"failedproducerequests_total", "Batches refused; without a topic: all.", "topic")
	d.failedFetches = d.counter(topic+"failedfetchrequests_total", "Partitions that fetches answered with an error; without a topic: all.", "topic")
}

func (d *descs) addServer() {
	d.requests = d.counter("kafka_network_requestmetrics_requests_total", "Requests answered.", "request", "version")
	d.requestErrors = d.counter("kafka_network_requestmetrics_errors_total", "Error codes in answers, NONE too.", "request", "error")
	d.requestTime = d.add("kafka_network_requestmetrics_totaltimems", metrics.SummaryType, "Milliseconds from a request's last byte to its answer's last, waiting for records and syncs included; quantiles of the last minutes.", "request")
	d.connections = d.gauge("kafka_server_socket_server_metrics_connection_count", "Connections that are open, in-memory ones included.")
	d.connectionsCreated = d.counter("kafka_server_socket_server_metrics_connection_creation_total", "Connections accepted.")
	d.connectionsRefused = d.counter("sluice_broker_connections_refused_total", "Connections closed because max.connections were open.")
	d.brokerState = d.gauge("kafka_server_kafkaserver_brokerstate", "3 (running).")
	d.activeController = d.gauge("kafka_controller_kafkacontroller_activecontrollercount", "1: this broker is its own controller.")
	d.controllerTopics = d.gauge("kafka_controller_kafkacontroller_globaltopiccount", "Topics.")
	d.controllerPartitions = d.gauge("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions.")
	d.controllerOffline = d.gauge("kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions that cannot be used because their files are damaged.")
}

func (d *descs) addPartitions() {
	const manager = "kafka_server_replicamanager_"
	d.partitionCount = d.gauge(manager+"partitioncount", "Partitions.")
	d.leaderCount = d.gauge(manager+"leadercount", "Partitions that can be used.")
	d.underReplicated = d.gauge(manager+"underreplicatedpartitions", "0: there is one replica.")
	d.underMinISR = d.gauge(manager+"underminisrpartitioncount", "Partitions that cannot be used because their files are damaged.")
	d.offlineReplicas = d.gauge(manager+"offlinereplicacount", "Partitions that cannot be used because their files are damaged.")
	d.lateTransactions = d.gauge(manager+"partitionswithlatetransactionscount", "Partitions with a transaction that has been silent for longer than 20 minutes.")
	d.offlineDirs = d.gauge("kafka_log_logmanager_offlinelogdirectorycount", "1 after a write or sync error that stops the log.")
	d.flushTime = d.add("kafka_log_logflushstats_logflushrateandtimems", metrics.SummaryType, "Milliseconds of a sync of record files; quantiles of the last minutes.")
	d.logSize = d.gauge("kafka_log_log_size", "Bytes of a partition's record files.", "topic", "partition")
	d.logStart = d.gauge("kafka_log_log_logstartoffset", "First offset.", "topic", "partition")
	d.logEnd = d.gauge("kafka_log_log_logendoffset", "Offset of the next record.", "topic", "partition")
	d.logSegments = d.gauge("kafka_log_log_numlogsegments", "Segments of a partition.", "topic", "partition")
	d.partitionUnderMinISR = d.gauge("kafka_cluster_partition_underminisr", "1 when the partition cannot be used because its files are damaged.", "topic", "partition")
	d.brokers = d.gauge("kafka_brokers", "1: this broker.")
	d.topicPartitions = d.gauge("kafka_topic_partitions", "Partitions of a topic.", "topic")
	d.currentOffset = d.gauge("kafka_topic_partition_current_offset", "High watermark: the offset that consumers can read up to.", "topic", "partition")
	d.oldestOffset = d.gauge("kafka_topic_partition_oldest_offset", "First offset.", "topic", "partition")
	d.partitionLeader = d.gauge("kafka_topic_partition_leader", "Node id of the leader, -1 when the partition cannot be used.", "topic", "partition")
	d.partitionISR = d.gauge("kafka_topic_partition_in_sync_replica", "1, or 0 when the partition cannot be used.", "topic", "partition")
	d.partitionUnderReplicated = d.gauge("kafka_topic_partition_under_replicated_partition", "1 when the partition cannot be used.", "topic", "partition")
}

func (d *descs) addGroups() {
	const manager = "kafka_coordinator_group_groupmetadatamanager_"
	d.groups = d.gauge(manager+"numgroups", "Consumer groups.")
	d.groupsByState = d.gauge("sluice_groups", "Consumer groups in a state.", "state")
	d.groupOffsets = d.gauge(manager+"numoffsets", "Committed offsets, all groups together.")
	d.groupOffset = d.gauge("kafka_consumergroup_current_offset", "Committed offset.", "consumergroup", "topic", "partition")
	d.groupLag = d.gauge("kafka_consumergroup_lag", "Records from the committed offset to the high watermark.", "consumergroup", "topic", "partition")
	d.groupOffsetSum = d.gauge("kafka_consumergroup_current_offset_sum", "Committed offsets of a topic, added up.", "consumergroup", "topic")
	d.groupLagSum = d.gauge("kafka_consumergroup_lag_sum", "Lag of a topic's partitions, added up.", "consumergroup", "topic")
	d.groupMembers = d.gauge("kafka_consumergroup_members", "Members of a group.", "consumergroup")
	d.groupSeriesDropped = d.gauge("sluice_group_offsets_not_shown", "Committed offsets that this page leaves out because there are too many.")
}

func (d *descs) addOwn() {
	d.syncSeconds = d.add("sluice_log_sync_seconds", metrics.HistogramType, "Duration of a sync of record files.")
	d.syncRounds = d.counter("sluice_log_sync_rounds_total", "Group commits.")
	d.volumeSyncs = d.counter("sluice_log_volume_syncs_total", "Group commits that synced the whole volume.")
	d.dirTotal = d.gauge("sluice_log_dir_size_bytes", "Size of the volume that the log is on.")
	d.dirUsable = d.gauge("sluice_log_dir_usable_bytes", "Room that is left on it.")
	d.openTransactions = d.gauge("sluice_log_open_transactions", "Transactions with records in a partition and no marker yet, all partitions together.")
	d.oldestTransaction = d.gauge("sluice_log_open_transaction_silent_seconds", "Time since the last record of the open transaction that has been silent longest.")
	d.cleanings = d.counter("sluice_log_cleanings_total", "Compactions of a partition.")
	d.failedCleanings = d.counter("sluice_log_failed_cleanings_total", "Compactions that met an error or a full disk and are tried again.")
	d.cleanedBytes = d.counter("sluice_log_cleaned_bytes_total", "Bytes that compaction has read.")
	d.cleanerIdle = d.gauge("kafka_log_logcleanermanager_time_since_last_run_ms", "Milliseconds since the cleaner looked for something to compact; 0 before it did.")
	d.dirtyPercent = d.gauge("kafka_log_logcleanermanager_max_dirty_percent", "Largest share of bytes in a compacted partition that have not been compacted.")
	d.fetchSessions = d.gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions", "Fetch sessions (KIP-227).")
	d.fetchSessionPartitions = d.gauge("kafka_server_fetchsessioncache_numincrementalfetchpartitionscached", "Partitions of all fetch sessions.")
	d.fetchSessionEvictions = d.counter("kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total", "Fetch sessions that made room for others.")
}

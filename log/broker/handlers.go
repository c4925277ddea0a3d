package broker

// handlers lists every API key that is served, once each.
func handlers() []handler {
	return []handler{
		produceHandler(),
		fetchHandler(),
		listOffsetsHandler(),
		metadataHandler(),
		offsetCommitHandler(),
		offsetFetchHandler(),
		findCoordinatorHandler(),
		joinGroupHandler(),
		heartbeatHandler(),
		leaveGroupHandler(),
		syncGroupHandler(),
		describeGroupsHandler(),
		listGroupsHandler(),
		apiVersionsHandler(),
		createTopicsHandler(),
		deleteTopicsHandler(),
		deleteRecordsHandler(),
		initProducerIDHandler(),
		offsetForLeaderEpochHandler(),
		describeConfigsHandler(),
		describeLogDirsHandler(),
		createPartitionsHandler(),
		deleteGroupsHandler(),
		incrementalAlterConfigsHandler(),
		offsetDeleteHandler(),
		describeClusterHandler(),
		describeProducersHandler(),
		describeTopicPartitionsHandler(),
	}
}

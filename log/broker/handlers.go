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
		alterConfigsHandler(),
		describeLogDirsHandler(),
		createPartitionsHandler(),
		deleteGroupsHandler(),
		electLeadersHandler(),
		incrementalAlterConfigsHandler(),
		alterPartitionReassignmentsHandler(),
		listPartitionReassignmentsHandler(),
		offsetDeleteHandler(),
		describeClusterHandler(),
		listConfigResourcesHandler(),
		describeTopicPartitionsHandler(),
	}
}

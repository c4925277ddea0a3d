// Package cluster makes a worker a member of the group of workers that share a
// group.id, with Kafka Connect's group protocol (KIP-415, KIP-507), so that Java
// workers can be in the same group. It knows connectors and tasks by name only: a
// [Listener] starts and stops them.
//
// The workers join a group of the protocol type "connect" at the group coordinator.
// What a member says of itself when it joins, and what it is told when all have
// joined, is (numbers big-endian, a string with an int16 and an array or bytes with an
// int32 length, -1 for null):
//
//	subscription: version int16 | url string | config offset int64 |
//	              allocation bytes (an assignment, or null)
//	assignment:   version int16 | error int16 | leader string | leader's url string |
//	              config offset int64 | work | revoked work | delay int32, ms
//	work:         array of (connector string | array of task int32); task -1 is the
//	              connector itself
//
// Version 0 has no allocation, no revoked work and no delay; version 2 has version
// 1's fields and says that requests between workers are signed.
//
// The member that the coordinator makes the leader computes everybody's work (state,
// in assign.go). An assignment names what is new and what is taken away; the rest
// stays and goes on running: only work that moves is stopped, and it is given to its
// new owner in a second round, after its old owner has stopped it and joined again.
//
// Membership is a lease. A member that gets no answer from the coordinator for half
// of the session timeout stops all of its work, which leaves the other half for
// stopping: when its session ends and others may be given the work, it does not run
// here. It goes the same way when the coordinator does not know it any more.
package cluster

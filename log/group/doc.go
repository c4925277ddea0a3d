// Package group coordinates consumer groups with Kafka's classic protocol, and
// keeps their committed offsets.
//
// A group moves between five states:
//
//	Empty ──join──► PreparingRebalance ──all joined, or timeout──► CompletingRebalance
//	  ▲                 ▲        │                                        │
//	  └──last one left──┼────────┘        ◄──join, leave, expiry──────────┤
//	                    │                                          leader's sync
//	                    └──────────────join, leave, expiry──── Stable ◄───┘
//
// and ends as Dead when it is deleted. A group has one mutex and timers but no
// goroutine; a call that has to wait (JoinGroup, SyncGroup) waits on a channel
// that the group answers exactly once.
//
// # Storage
//
// Offsets and group metadata are records of the topic __consumer_offsets in
// Kafka's formats, the partition chosen by the Java hash of the group id as in
// Kafka, so that tools which read the topic work:
//
//	key  version 0,1: group, topic, partition    value: offset, leader epoch, metadata, commit time
//	key  version 2:   group                      value: generation, protocol, leader, members
//
// A null value is a tombstone. A commit is answered, and visible to OffsetFetch,
// only after its record is durable (I1, I7), and a later record wins over an
// earlier one in memory as in the log, so offsets are the same before and after a
// restart. Open reads the whole topic.
//
// Protocol type, protocol names, member metadata and assignments are opaque:
// `connect` groups work like `consumer` groups.
//
// Offsets do not expire yet (offsets.retention.minutes).
package group

// Package group coordinates consumer groups with Kafka's classic protocol and with
// the consumer protocol of KIP-848, and keeps their committed offsets.
//
// # Classic protocol
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
// Protocol type, protocol names, member metadata and assignments are opaque:
// `connect` groups work like `consumer` groups.
//
// # Consumer protocol
//
// A heartbeat is all there is, and it never waits for other members. Three epochs
// follow each other:
//
//	group epoch      a member or what it subscribes to has changed   (subscribe)
//	     ▼
//	target epoch     an assignor has computed who is to have what    (retarget)
//	     ▼
//	member epoch     the member has given up what it may not keep    (reconcile)
//
// A member gets a partition of its target only after the one that has it says in a
// heartbeat that it has it no longer. All changes of a group are records first:
// an edit applies them to memory, appends them to the log, and takes them back
// when the log refuses; a start applies the same records again. Whatever a
// member is told waits until the group's last record is durable, because what it
// is told may have come of another's change.
//
// Members of the classic protocol can be in such a group (classic_member.go). A
// group takes them over when the first member of the consumer protocol joins it,
// and becomes a classic group again when the last one has left (migrate.go).
//
// # Storage
//
// Offsets and groups are records of the topic __consumer_offsets in Kafka's
// formats, the partition chosen by the Java hash of the group id as in Kafka, so
// that tools which read the topic work. The first two bytes of a key are its
// version, which tells what the record is:
//
//	0, 1  group, topic, partition     offset, leader epoch, metadata, commit time
//	2     group                       classic group: generation, protocol, leader, members
//	3     group                       group epoch, hash of the subscribed topics
//	5     group, member               what the member says of itself
//	6     group                       target epoch
//	7     group, member               target assignment
//	8     group, member               current assignment, member epoch
//	16    group, regular expression   the topics that it matches
//
// A null value is a tombstone. A commit is answered, and visible to OffsetFetch,
// only after its record is durable (I1, I7), and a later record wins over an
// earlier one in memory as in the log, so offsets are the same before and after a
// restart. Offsets committed in a transaction are in a transactional batch of
// their producer. They are pending from there to its marker (transactions.go).
// Open reads the whole topic.
//
// Offsets expire (retention.go), and so does a group that has neither members nor
// offsets.
package group

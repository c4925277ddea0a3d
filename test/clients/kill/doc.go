// Package kill kills the real server with SIGKILL at random moments, again and
// again, while franz-go and librdkafka produce (idempotent and in transactions),
// consume, transform and commit offsets. Package history then compares the whole
// log with what the clients were told (I1, I7).
//
// It shows what a crash of the process does, recovery included; what a power cut
// does is shown on a file system in memory by the tests of package log.
//
// SLUICE_KILL_ROUNDS is the number of kills, SLUICE_KILL_SEED makes them come at
// the same moments again. SLUICE_KILL_BINARY is a server to use instead of
// building one.
package kill

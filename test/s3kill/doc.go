// Package s3kill kills everything between a source and the objects on an S3 server, and counts.
//
// A generator and MQTT devices, of QoS 1 and of QoS 2, fill topics; S3 sinks with wall-clock rotation write them, by field, by time, with keys,
// through a proxy that refuses requests, does not answer them, resets connections, loses the answers or says yes to a repeated completion of which nothing comes. At random the server is killed with
// SIGKILL, also when an upload is complete that it does not know of, the S3 server is too, also while it completes an upload, and Mosquitto is restarted. In the end every record of the log is in exactly
// one object of each sink; every row of the generator and every message of QoS 2 is there once; none of QoS 1 is missing; no upload is left
// unfinished, no committed state has anything pending and no object of the sinks' own is there.
//
// TestKillDevices does the part before the log alone, a hundred times a minute.
//
// SLUICE_KILL_ROUNDS is how many kills there are, SLUICE_KILL_SEED repeats what is decided at random.
package s3kill

// Package s3kill kills everything between a source and the objects on an S3 server, and counts.
//
// A generator and MQTT devices fill topics; S3 sinks with wall-clock rotation write them, through a proxy that refuses requests, does not
// answer them or loses the answers. The server is killed with SIGKILL and Mosquitto is restarted, at random. In the end every record of the
// log is in exactly one object, every row of the generator is there once, no message that the MQTT broker has acknowledged is missing, no upload is
// left unfinished and no object of the sink's own is left.
//
// SLUICE_KILL_ROUNDS is how many kills there are, SLUICE_KILL_SEED repeats a run.
package s3kill

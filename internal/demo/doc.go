// Package demo is the world around Sluice for `sluice demo`: an MQTT broker,
// devices that publish readings to it, a shop that keeps its data in PostgreSQL, and
// an S3 server on a directory. All of it is loopback only and made to be looked at,
// not to be relied upon.
//
// The MQTT broker speaks MQTT 3.1 and 3.1.1 with QoS 0 and 1 and persistent
// sessions, in memory. It has no retained messages, wills, QoS 2 or passwords.
package demo

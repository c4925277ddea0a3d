// Package restapi has other people's clients of Kafka Connect's REST API as judges:
// each does what its users do with it, on the real server with the file connectors.
package restapi

// Package rest is Kafka Connect's REST API over package engine: the same paths,
// statuses and bodies, so that the clients of Kafka Connect work unchanged.
package rest

// Package rest is Confluent's REST API over a schema registry: its paths, shapes and error codes.
package rest

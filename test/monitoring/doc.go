// Package monitoring has Prometheus' own tool judge what we give to Prometheus: the page of metrics and the example
// alerts.
package monitoring

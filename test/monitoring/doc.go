// Package monitoring has Prometheus' own tool judge what we give to Prometheus: the page of metrics, the example
// alerts, and the queries of the example dashboards.
package monitoring

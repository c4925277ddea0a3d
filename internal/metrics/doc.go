// Package metrics writes metrics in Prometheus' text format (version 0.0.4).
//
// There are no metric objects to register: who has something to report keeps
// plain atomic numbers where it works, and a [Collector] reads them when they
// are asked for. So the hot path pays one addition, and what exists in
// thousands, such as partitions, costs nothing between two scrapes.
//
// Every family has one [Desc], which gives it its name, type and help text; a
// collector can write no family that it has not declared, so the list of
// [Registry.Descs] is complete and is what the documentation is checked against.
package metrics

// Package postgres is a source connector that reads the changes of a PostgreSQL
// database from its write-ahead log. It takes the configs of Debezium's connector
// and writes its records.
package postgres

package debezium

// Decisions are the differences that are meant to be.
var Decisions []Decision

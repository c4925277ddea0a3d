// Package schemaregistry is a schema registry with the REST API of Confluent's: subjects, versions and compatibility on the
// topic _schemas, in Confluent's record bytes, reached only over the Kafka protocol (I4). Its handler is in package
// schemaregistry/rest.
//
// # State
//
// The topic has one partition and is compacted. Each record has a JSON key, which says what it is about, and a JSON value:
//
//	{"keytype":"SCHEMA","subject":s,"version":n,"magic":1}   {"subject":s,"version":n,"id":i,"schemaType":t,"references":[…],
//	                                                          "metadata":{…},"schema":text,"deleted":false}
//	{"keytype":"CONFIG","subject":s,"magic":0}               {"subject":s,"compatibilityLevel":l,…}; without subject: for all
//	{"keytype":"MODE","subject":s,"magic":0}                 {"subject":s,"mode":m}
//	{"keytype":"DELETE_SUBJECT","subject":s,"magic":0}       {"subject":s,"version":n}: versions up to n are deleted
//	{"keytype":"CLEAR_SUBJECT","subject":s,"magic":0}        {"subject":s}: what is deleted is gone
//	{"keytype":"CONTEXT","tenant":t,"context":c,"magic":0}   {"tenant":t,"context":c}
//	{"keytype":"NOOP","magic":0}                             {"ids":{context:n}}: the highest ids that were ever given; Confluent
//	                                                         leaves this value null and does not read it
//
// A null value takes the record with the same key away. One goroutine reads the topic from its beginning and applies each record to the
// state, which only that changes: a request is checked against the state, its records are written in one transaction, and it is
// answered when they have been read back (I1). A restarted registry, and one that follows the topic of another, stand where the
// topic does.
//
// # One writer
//
// A registry writes under the transactional id "schema-registry-" + topic. Whoever begins to write fences the one before it
// and reads the topic to its end first, so two registries on one topic never give out one id twice.
//
// # What is the same schema
//
// Content is compared by an MD5 over the canonical text, the references and the metadata, as Confluent does. Ids belong to a context;
// the same content has the same id in all subjects of a context. Versions and ids are never given twice, even after a
// hard delete.
package schemaregistry

// Package clientconfig reads the properties that say how Kafka clients reach a cluster
// (security.protocol, ssl.* and sasl.*) and makes options of the Kafka
// client of them. The names, defaults and formats are those of Kafka's own clients:
// certificates and keys are PEM, JKS or PKCS#12.
package clientconfig

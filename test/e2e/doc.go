// Package e2e tests the real binary against a real MQTT broker (Mosquitto) and a
// real S3 server (Ceph's RADOS gateway).
//
// The tests run in a network and mount namespace of their own, so that the host
// name broker and the port 1883 of the example configs can be used unchanged and
// nothing outside is touched or depended upon. They need Linux, and root or the
// right to make user namespaces; where that is missing they fail and say so.
package e2e

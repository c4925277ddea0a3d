// Package connecttest is the suite that every connector must pass. It checks
// the contract of package connect against a real connector and whatever system
// the connector's own test puts behind it:
//
//	connecttest.Spec(t, mqtt.Spec, settings)
//	connecttest.Source(t, func(t testing.TB) connecttest.SourceFixture { ... })
//	connecttest.Sink(t, func(t testing.TB) connecttest.SinkFixture { ... })
//
// Each check gets a fixture of its own, so checks do not see each other's
// records. The records of a check are numbered from 0; the fixture turns numbers
// into records and back.
package connecttest

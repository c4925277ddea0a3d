// Package workers starts several workers of one group on a cluster, gives them
// connectors, kills one after the other as a power cut does, and then looks at what was
// written: every record of a source once, every record that a sink had to write at
// least once, and no task started again that had nothing to do with a kill.
//
// Each source makes numbered records, so that a gap is a loss and a repetition a
// duplicate. The tasks' starts are read from the workers' logs.
package workers

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-data/sluice/engine"
)

const optionsIntro = `# Options of every connector

Generated from the definitions in the code by ` + "`make docs`" + `: do not edit.

These options stand beside a connector's own ([connectors.md](connectors.md)). Their names and defaults are Kafka Connect's.

**Topics of sources.** A source that has any ` + "`topic.creation.`" + ` option creates its topics itself, each before its first record (KIP-158). The first group of
` + "`topic.creation.groups`" + ` of which a pattern of ` + "`include`" + ` matches the whole name and none of ` + "`exclude`" + ` decides, otherwise ` + "`topic.creation.default.*`" + `, which
must say replication factor and partitions. Any other ` + "`topic.creation.<group>.<setting>`" + ` is a setting of the topic. A topic that cannot be created fails the task.
Without such options, or with the worker's ` + "`topic.creation.enable=false`" + `, the cluster creates topics (` + "`auto.create.topics.enable`" + `).

**Offsets of sources.** With ` + "`offsets.storage.topic`" + ` a source has its offsets in a compacted topic of its own, in the same transaction as the records where it is
exactly once; the worker's offset topic gets copies afterwards (KIP-618). The own topic counts more when both have an offset. ` + "`exactly.once.source.support=preparing`" + `
is for the first of the two steps in which the workers of a cluster are enabled: sources do not write in transactions yet.

**Records that cannot be handled.** ` + "`errors.tolerance=all`" + ` skips them; ` + "`errors.log.enable`" + ` writes a line in Kafka Connect's words for each, without its content;
the dead letter queue gets the record as it was, for sources too: there the headers ` + "`__connect.errors.partition`" + ` and ` + "`.offset`" + ` are the source partition and offset as JSON. A
record that is too large for the log goes there without its value.

**Settings of Kafka clients.** A connector may override settings of the clients that its tasks have, as far as the worker's
` + "`connector.client.config.override.policy`" + ` goes: ` + "`All`" + ` (the default), ` + "`None`" + `, ` + "`Principal`" + ` (who the client is) or ` + "`Allowlist`" + ` with the names in
` + "`connector.client.config.override.allowlist`" + `. The tables below list what takes effect. Any other setting is accepted and named in the log as one without effect.

**Connectors on another cluster, or as another user.** ` + "`producer.override.bootstrap.servers`" + ` of a source and ` + "`consumer.override.bootstrap.servers`" + ` of a sink name the brokers of
another cluster than the worker's; ` + "`security.protocol`" + `, ` + "`sasl.*`" + ` and ` + "`ssl.*`" + ` of the same prefix say as whom, on top of what the worker has for its own cluster, there and with the
worker's cluster alike. A worker with the embedded log reaches that in memory, as itself: to be somebody there takes ` + "`bootstrap.servers`" + ` too.

- The topics that a source writes to are created where it writes, unless ` + "`admin.override.bootstrap.servers`" + ` names a cluster. Its offsets stay in the worker's cluster. With
  ` + "`offsets.storage.topic`" + ` they are in that topic of the other cluster, and where the source is exactly once always, in a topic that is named like the worker's if none is
  named: records and offsets are one transaction of one cluster, and the worker's topic gets copies (KIP-618).
- A sink's consumer group is in the cluster that it reads from. An exactly-once sink has its states there too, in a topic named like ` + "`sink.state.storage.topic`" + `. Its dead letter queue is where
  ` + "`producer.override`" + ` leads.
- Offsets are read, changed and reset through the REST API wherever they are. Configs, status and topics in use stay with the worker.
`

// writeOptions writes the options that connectors have beside their own.
func writeOptions(w io.Writer) error {
	var b strings.Builder
	b.WriteString(optionsIntro)
	for _, s := range engine.FrameworkOptions() {
		fmt.Fprintf(&b, "\n## %s\n\n| Option | Type | Default | Meaning |\n|---|---|---|---|\n", s.Title)
		for i := range s.Options {
			option(&b, &s.Options[i])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

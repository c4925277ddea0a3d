package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// feature is a part of the protocol that clients use when its level is high
// enough (KIP-584).
type feature struct {
	name             string
	min, max, active int16 // levels: those that there are, and the one in force
}

// featuresEpoch stands for the time of the last change of a level: they are part
// of the program.
const featuresEpoch = 0

// features lists the features, once each.
func features() []feature {
	return []feature{
		{"group.version", 0, 1, 1},       // 1: KIP-848, groups of the consumer protocol
		{"metadata.version", 7, 25, 25},  // that of Kafka 4.0: tools derive from it which admin calls to offer
		{"transaction.version", 0, 2, 2}, // 2: KIP-890, clients may write to a partition without adding it first
	}
}

// releaseName is the release of metadata.version as the config
// inter.broker.protocol.version writes it.
const releaseName = "4.0-IV3"

// addFeatures tells a client the features, from v3 on. Older clients take a
// minimum of 0 for a broken answer, so those are left out up to v3 (KAFKA-17011).
func addFeatures(resp *kmsg.ApiVersionsResponse, version int16) {
	if version < 3 {
		return
	}
	resp.FinalizedFeaturesEpoch = featuresEpoch
	for _, f := range features() {
		if version > 3 || f.min > 0 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.name, f.min, f.max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		l := kmsg.NewApiVersionsResponseFinalizedFeature()
		l.Name, l.MinVersionLevel, l.MaxVersionLevel = f.name, f.active, f.active
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, l)
	}
}

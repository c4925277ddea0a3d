package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// feature is a finalized feature (KIP-584): the levels that this broker could run at, and the one it runs at.
type feature struct {
	name            string
	min, max, level int16
}

// features lists what ApiVersions reports. The metadata.version is that of Kafka 4.0: tools derive from it which
// admin calls to offer.
func features() []feature {
	return []feature{
		{name: "metadata.version", min: 7, max: 25, level: 25},
	}
}

// releaseName is the release of metadata.version as the config inter.broker.protocol.version writes it.
const releaseName = "4.0-IV3"

// reportFeatures fills the tagged fields of an ApiVersions response. Clients before v4 cannot read a supported minimum of
// 0 (KAFKA-17011); the epoch is not -1, which would mean unknown.
func reportFeatures(resp *kmsg.ApiVersionsResponse) {
	resp.FinalizedFeaturesEpoch = 1
	for _, f := range features() {
		if f.min > 0 || resp.Version >= 4 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.name, f.min, f.max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		l := kmsg.NewApiVersionsResponseFinalizedFeature()
		l.Name, l.MinVersionLevel, l.MaxVersionLevel = f.name, f.level, f.level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, l)
	}
}

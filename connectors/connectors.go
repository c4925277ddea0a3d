// Package connectors lists the connectors that are built in.
package connectors

import (
	"github.com/sluice-data/sluice/connect"
	filesink "github.com/sluice-data/sluice/connectors/sink/file"
	"github.com/sluice-data/sluice/connectors/sink/s3"
	verifiablesink "github.com/sluice-data/sluice/connectors/sink/verifiable"
	"github.com/sluice-data/sluice/connectors/source/datagen"
	filesource "github.com/sluice-data/sluice/connectors/source/file"
	"github.com/sluice-data/sluice/connectors/source/mqtt"
	"github.com/sluice-data/sluice/connectors/source/postgres"
	verifiablesource "github.com/sluice-data/sluice/connectors/source/verifiable"
)

// Plugins returns the connectors that are built in.
func Plugins() []connect.Spec {
	return []connect.Spec{mqtt.Spec, postgres.Spec, s3.Spec, filesource.Spec, filesink.Spec, datagen.Spec, verifiablesource.Spec, verifiablesink.Spec}
}

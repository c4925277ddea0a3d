package lint

import (
	"fmt"
	"strconv"
	"strings"
)

const module = "github.com/sluice-data/sluice/"

// layer says what the packages at or under a path may import of this module.
type layer struct {
	path    string
	imports []string // packages; a trailing /... stands for all under it
	stdOnly bool     // nothing from outside the standard library and this module
}

// layers is the import table of the design: the first entry that matches counts,
// so a sub-package stands before its parent. What is not listed is a new package
// that has to be given a place here first.
var layers = []layer{
	{path: "cmd/sluice", imports: []string{"console", "engine/...", "connectors", "schemaregistry", "schemaregistry/rest", "log", "log/broker", "log/group", "log/txn", "log/security", "internal/vfs", "connect", "internal/demo", "internal/pgserver", "internal/javaprops", "internal/httpauth", "internal/loglevel", "internal/metrics", "examples/configs"}},
	{path: "console"}, // over the public REST and Kafka APIs only
	{path: "engine/rest", imports: []string{"engine", "connect", "internal/httpauth"}},
	{path: "engine/convert/connectproto", imports: []string{"connect", "connect/connectjson", "schemaregistry/protobuf"}},
	{path: "engine/convert/connectjsonschema", imports: []string{"connect", "connect/connectjson", "schemaregistry/jsonschema"}},
	{path: "engine/convert", imports: []string{"connect", "connect/connectjson", "connect/connecttext", "engine/clientconfig", "connect/connectavro", "engine/convert/connectjsonschema", "engine/convert/connectproto", "internal/jaas", "schemaregistry/avro", "schemaregistry/jsonschema", "schemaregistry/protobuf"}},
	{path: "engine/transform", imports: []string{"connect", "connect/connectjson", "engine/convert", "internal/avroname", "internal/javaregex"}},
	{path: "engine/cluster"},
	{path: "engine/clientconfig", imports: []string{"connect", "internal/jaas", "internal/keystore"}},
	// No log and no schemaregistry: I4, they are reached by their protocols.
	{path: "engine", imports: []string{"engine/clientconfig", "engine/cluster", "engine/convert", "engine/transform", "connect", "connect/connectjson", "internal/javaprops", "internal/javaregex", "internal/loglevel", "internal/metrics", "internal/topicend", "internal/dialpause"}},
	// I8: connectors know only the connector API.
	{path: "connectors/source/postgres/pgtest", imports: []string{"internal/pgserver"}},                                                                                                    // used by tests
	{path: "connectors/source/postgres", imports: []string{"connect", "connect/connectjson", "connect/connecttext", "connectors/internal/...", "internal/avroname", "internal/javaregex"}}, // Debezium's names and filters
	{path: "connectors/source/mqtt", imports: []string{"connect", "connect/connectavro", "connect/connectjson", "schemaregistry/avro", "internal/keystore"}},                               // payloads have Avro schemas; Confluent's keystores
	{path: "connectors/source", imports: []string{"connect", "connect/connectjson", "connect/connecttext", "connectors/internal/..."}},
	{path: "connectors/sink", imports: []string{"connect", "connect/connectavro", "connect/connectjson", "connect/connecttext", "schemaregistry/avro", "connectors/internal/..."}},
	{path: "connectors/internal", imports: []string{"connect", "connect/connectjson", "connect/connecttext", "connectors/internal/..."}},
	{path: "connectors", imports: []string{"connect", "connectors/source/...", "connectors/sink/..."}},
	{path: "schemaregistry/tag"},
	{path: "schemaregistry/protobuf", imports: []string{"schemaregistry/tag"}},
	{path: "schemaregistry/avro", imports: []string{"connect", "connect/connectjson", "schemaregistry/tag"}},
	{path: "schemaregistry/rest", imports: []string{"connect/connectjson", "schemaregistry", "schemaregistry/tag", "internal/httpauth", "internal/metrics"}},
	{path: "schemaregistry/registrytest", imports: []string{"schemaregistry", "log/logtest", "internal/vfs"}}, // used by tests
	{path: "schemaregistry/jsonschema", imports: []string{"internal/javaregex", "schemaregistry/tag"}},
	{path: "schemaregistry", imports: []string{"connect/connectjson", "internal/dialpause", "internal/topicend", "schemaregistry/avro", "schemaregistry/tag", "schemaregistry/jsonschema", "schemaregistry/protobuf"}},
	{path: "log/broker", imports: []string{"log", "log/batch", "log/group", "log/txn", "log/security", "internal/metrics", "internal/vfs"}},
	{path: "log/group", imports: []string{"log", "log/batch"}},
	{path: "log/txn", imports: []string{"log", "log/batch", "internal/vfs"}},
	{path: "log/security", imports: []string{"internal/jaas", "internal/vfs"}},
	{path: "log/batch"},
	{path: "log/logtest", imports: []string{"log", "log/broker", "log/group", "log/txn", "internal/vfs"}}, // used by tests
	{path: "log", imports: []string{"log/batch", "internal/metrics", "internal/vfs"}},
	{path: "connect/connectavro", imports: []string{"connect", "connect/connectjson", "schemaregistry/avro"}},
	{path: "connect/connecttest", imports: []string{"connect"}, stdOnly: true},
	{path: "connect/connecttext", imports: []string{"connect", "connect/connectjson"}, stdOnly: true},
	{path: "connect/connectjson", imports: []string{"connect"}, stdOnly: true},
	{path: "connect", stdOnly: true},
	{path: "internal/httpauth", stdOnly: true},
	{path: "internal/loglevel", stdOnly: true},
	{path: "internal/metrics", stdOnly: true},
	{path: "internal/jaas", stdOnly: true},
	{path: "internal/javaprops", stdOnly: true},
	{path: "internal/avroname", stdOnly: true},
	{path: "internal/javaregex"},
	{path: "internal/keystore"},
	{path: "internal/javatest"}, // used by tests
	{path: "internal/vfs"},
	{path: "internal/loopback", stdOnly: true},
	{path: "internal/topicend"},
	{path: "internal/dialpause"},
	{path: "internal/pgserver", imports: []string{"internal/loopback"}},
	{path: "internal/demo", imports: []string{"internal/pgserver"}},
	{path: "internal/lint"},
	{path: "internal/docgen", imports: []string{"connect", "connectors", "engine", "engine/convert", "engine/transform"}},
	{path: "examples/configs"},
	{path: "bench", imports: []string{"..."}},
	{path: "test", imports: []string{"..."}},
}

func layerOf(pkg string) *layer {
	for i := range layers {
		if under(pkg, layers[i].path) {
			return &layers[i]
		}
	}
	return nil
}

func under(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }

// allows reports whether the layer may import a package of this module. Parts of
// one layer may import each other.
func (l *layer) allows(pkg string) bool {
	for _, p := range l.imports {
		if p == "..." || p == pkg {
			return true
		}
		if parent, ok := strings.CutSuffix(p, "/..."); ok && under(pkg, parent) {
			return true
		}
	}
	return layerOf(pkg) == l
}

// clients may be imported only under these paths. I4: the log's clients belong
// to those who are meant to talk to it; I8: each connector has its own system's
// client.
var clients = map[string][]string{
	"github.com/twmb/franz-go":            {"engine", "schemaregistry", "log/broker", "log/group", "log/txn", "log/security", "log/batch", "log/logtest", "internal/dialpause", "internal/topicend", "cmd/sluice", "console", "bench", "test"},
	"github.com/eclipse/paho.mqtt.golang": {"connectors/source/mqtt", "connectors/internal", "internal/demo", "bench", "test"},
	"github.com/eclipse/paho.golang":      {"connectors/source/mqtt", "bench", "test"},
	"github.com/jackc/pgx":                {"connectors/source/postgres", "internal/demo", "internal/pgserver", "bench", "test"},
	"github.com/aws/aws-sdk-go-v2":        {"connectors/sink/s3", "connectors/internal", "internal/demo", "bench", "test"},
}

func checkImports(s *source) []finding {
	l := layerOf(s.pkg())
	if l == nil {
		return []finding{{s.path, 1, "package " + s.pkg() + " has no place in the import table"}}
	}
	if s.isTest() {
		return nil // tests may build on whatever they need as a counterpart
	}
	var found []finding
	for _, spec := range s.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has checked it
		}
		if why := refuses(l, s.pkg(), name); why != "" {
			found = append(found, finding{s.path, s.line(spec.Pos()), why})
		}
	}
	return found
}

// refuses says why a package of a layer may not import name, or nothing.
func refuses(l *layer, pkg, name string) string {
	if own, ok := strings.CutPrefix(name, module); ok {
		if strings.HasSuffix(own, "test") && !strings.HasSuffix(pkg, "test") && !underAny(pkg, []string{"bench", "test"}) {
			return fmt.Sprintf("%s is for tests only", own)
		}
		if !l.allows(own) {
			return fmt.Sprintf("%s may not import %s", pkg, own)
		}
		return ""
	}
	if l.stdOnly && strings.Contains(strings.Split(name, "/")[0], ".") {
		return fmt.Sprintf("%s uses the standard library only, not %s", pkg, name)
	}
	for client, users := range clients {
		if under(name, client) && !underAny(pkg, users) {
			return fmt.Sprintf("%s may not import the client %s", pkg, name)
		}
	}
	return ""
}

func underAny(pkg string, parents []string) bool {
	for _, p := range parents {
		if under(pkg, p) {
			return true
		}
	}
	return false
}

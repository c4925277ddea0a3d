package restapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	connect "github.com/cloudhut/connect-client"
)

// TestConnectClient uses the client of Redpanda Console.
func TestConnectClient(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := connect.NewClient(connect.WithHost(s.url), connect.WithTimeout(patience))
	ctx := t.Context()
	root, err := c.GetRoot(ctx)
	must(t, err)
	if root.KafkaClusterID == "" || !strings.HasPrefix(root.Version, "4.") {
		t.Errorf("root: %+v", root)
	}
	plugins, err := c.GetConnectorPlugins(ctx)
	must(t, err)
	if !slices.ContainsFunc(plugins, func(p connect.ConnectorPluginInfo) bool { return p.Class == sourceClass && p.Type == "source" }) {
		t.Errorf("plugins: %+v", plugins)
	}
	s.validateWith(t, c)

	info, err := c.CreateConnector(ctx, connect.CreateConnectorRequest{Name: "src", Config: s.source()})
	must(t, err)
	if info.Name != "src" || info.Type != "source" || info.Config["topic"] != "lines" {
		t.Errorf("created: %+v", info)
	}
	_, err = c.CreateConnector(ctx, connect.CreateConnectorRequest{Name: "src", Config: s.source()})
	wantAPIError(t, err, 409, "Connector src already exists")
	_, err = c.PutConnectorConfig(ctx, "snk", connect.PutConnectorConfigOptions{Config: s.sink()})
	must(t, err)
	s.awaitOutput(t)
	await := func(name, want string) {
		t.Helper()
		eventually(t, name+" "+want, func() bool { return states(t, c, name) == want })
	}
	await("src", "RUNNING RUNNING")
	await("snk", "RUNNING RUNNING")
	s.lookWith(t, c)

	must(t, c.PauseConnector(ctx, "src"))
	await("src", "PAUSED PAUSED")
	must(t, c.ResumeConnector(ctx, "src"))
	await("src", "RUNNING RUNNING")
	must(t, c.StopConnector(ctx, "src"))
	await("src", "STOPPED")
	must(t, c.ResumeConnector(ctx, "src"))
	await("src", "RUNNING RUNNING")
	for _, options := range []connect.RestartConnectorOptions{{}, {IncludeTasks: true}, {OnlyFailed: true}, {IncludeTasks: true, OnlyFailed: true}} {
		must(t, c.RestartConnector(ctx, "src", options))
	}
	must(t, c.RestartConnectorTask(ctx, "src", 0))
	await("src", "RUNNING RUNNING")
	wantAPIError(t, c.RestartConnectorTask(ctx, "src", 7), 404, "Unknown task: src-7")
	wantAPIError(t, c.RestartConnector(ctx, "none", connect.RestartConnectorOptions{}), 404, "Unknown connector: none")
	must(t, c.ResetConnectorTopics(ctx, "snk"))

	must(t, c.DeleteConnector(ctx, "snk"))
	must(t, c.DeleteConnector(ctx, "src"))
	_, err = c.GetConnectorStatus(ctx, "src")
	wantAPIError(t, err, 404, "No status found for connector src")
	names, err := c.ListConnectors(ctx)
	must(t, err)
	if len(names) != 0 {
		t.Errorf("connectors that are left: %v", names)
	}
}

// validateWith checks a config that is right and one that is wrong before there is
// a connector.
func (s server) validateWith(t *testing.T, c *connect.Client) {
	t.Helper()
	config := s.source()
	config["name"] = "src"
	result, err := c.PutValidateConnectorConfig(t.Context(), "FileStreamSource", connect.ValidateConnectorConfigOptions{Config: config})
	must(t, err)
	if result.ErrorCount != 0 || result.Name != sourceClass || !slices.Contains(result.Groups, "Common") {
		t.Errorf("validated: %d errors, name %s, groups %v", result.ErrorCount, result.Name, result.Groups)
	}
	delete(config, "topic")
	config["tasks.max"] = "none"
	result, err = c.PutValidateConnectorConfig(t.Context(), "FileStreamSource", connect.ValidateConnectorConfigOptions{Config: config})
	must(t, err)
	var wrong []string
	for _, option := range result.Configs {
		if e, _ := option.Value["errors"].([]any); len(e) > 0 {
			wrong = append(wrong, fmt.Sprint(option.Value["name"]))
		}
	}
	slices.Sort(wrong)
	if got := fmt.Sprint(result.ErrorCount, wrong); got != "2 [tasks.max topic]" {
		t.Errorf("validated a wrong config: %s", got)
	}
}

// lookWith reads whatever there is to read of the two connectors.
func (s server) lookWith(t *testing.T, c *connect.Client) {
	t.Helper()
	all, err := c.ListConnectorsExpanded(t.Context())
	must(t, err)
	if len(all) != 2 || all["src"].Info.Type != "source" || all["snk"].Info.Config["tasks.max"] != "1" || all["snk"].Status.Connector.State != "RUNNING" || len(all["src"].Info.Tasks) != 1 {
		t.Errorf("expanded: %+v", all)
	}
	config, err := c.GetConnectorConfig(t.Context(), "snk")
	must(t, err)
	if want := map[string]string{"name": "snk", "connector.class": sinkClass, "file": s.out, "topics": "lines", "tasks.max": "1"}; fmt.Sprint(config) != fmt.Sprint(want) {
		t.Errorf("config: got %v, want %v", config, want)
	}
	info, err := c.GetConnector(t.Context(), "snk")
	must(t, err)
	if len(info.Tasks) != 1 || info.Tasks[0] != (connect.ConnectorTaskID{Connector: "snk"}) {
		t.Errorf("tasks: %+v", info.Tasks)
	}
	eventually(t, "the topics of snk", func() bool {
		topics, err := c.GetConnectorTopics(t.Context(), "snk")
		must(t, err)
		return slices.Equal(topics["snk"].Topics, []string{"lines"})
	})
}

// states are those of a connector and its tasks.
func states(t *testing.T, c *connect.Client, name string) string {
	t.Helper()
	status, err := c.GetConnectorStatus(t.Context(), name)
	must(t, err)
	all := []string{status.Connector.State}
	for _, task := range status.Tasks {
		all = append(all, task.State)
	}
	return strings.Join(all, " ")
}

func wantAPIError(t *testing.T, err error, code int, message string) {
	t.Helper()
	e, ok := errors.AsType[connect.ApiError](err)
	if !ok || e.ErrorCode != code || e.Message != message {
		t.Errorf("got %v, want %d %s", err, code, message)
	}
}

package restapi

import (
	"strings"
	"testing"

	"github.com/ricardo-ch/go-kafka-connect/v3/lib/connectors"
)

// TestGoKafkaConnect uses the client of the Terraform provider, whose calls wait
// until the server shows what they asked for.
func TestGoKafkaConnect(t *testing.T) {
	t.Parallel() // the client sleeps
	s := startServer(t)
	c := connectors.NewClient(s.url)
	src, snk := connectors.ConnectorRequest{Name: "src"}, connectors.ConnectorRequest{Name: "snk"}
	created, err := c.CreateConnector(connectors.CreateConnectorRequest{ConnectorRequest: src, Config: s.source()}, true)
	must(t, err)
	if created.Code != 201 || created.Name != "src" || created.Config["topic"] != "lines" {
		t.Errorf("created: %+v", created)
	}
	must(t, c.DeployMultipleConnector([]connectors.CreateConnectorRequest{
		{ConnectorRequest: src, Config: s.source()}, {ConnectorRequest: snk, Config: s.sink()}}))
	s.awaitOutput(t)
	if same, err := c.IsUpToDate("snk", s.sink()); err != nil || !same {
		t.Errorf("the config does not come back as it was sent: %v, %v", same, err)
	}
	changed := s.source()
	changed["batch.size"] = 7
	if same, err := c.IsUpToDate("src", changed); err != nil || same {
		t.Errorf("a changed config counts as the same: %v, %v", same, err)
	}
	updated, err := c.UpdateConnector(connectors.CreateConnectorRequest{ConnectorRequest: src, Config: changed}, true)
	must(t, err)
	if updated.Code != 200 || updated.Config["batch.size"] != "7" {
		t.Errorf("updated: %+v", updated)
	}
	all, err := c.GetAll()
	must(t, err)
	if got := strings.Join(all.Connectors, " "); got != "snk src" {
		t.Errorf("connectors: %s", got)
	}
	checkTasks(t, c, src)
	checkLife(t, c, src)
	for _, r := range []connectors.ConnectorRequest{src, snk} {
		deleted, err := c.DeleteConnector(r, true)
		must(t, err)
		if deleted.Code != 204 {
			t.Errorf("deleted: %+v", deleted)
		}
	}
	gone, err := c.GetConnector(src)
	must(t, err)
	if gone.Code != 404 {
		t.Errorf("a deleted connector: %+v", gone)
	}
	_, err = c.CreateConnector(connectors.CreateConnectorRequest{ConnectorRequest: src, Config: map[string]any{"connector.class": "None"}}, false)
	if err == nil || !strings.Contains(err.Error(), "Failed to find any class that implements Connector") {
		t.Errorf("an unknown class: %v", err)
	}
}

func checkTasks(t *testing.T, c connectors.HighLevelClient, r connectors.ConnectorRequest) {
	t.Helper()
	eventually(t, "the tasks", func() bool {
		tasks, err := c.GetAllTasks(r)
		must(t, err)
		return len(tasks.Tasks) == 1 && tasks.Tasks[0].ID == connectors.TaskID{Connector: r.Name} && tasks.Tasks[0].Config["task.class"] != nil
	})
	task := connectors.TaskRequest{Connector: r.Name}
	restarted, err := c.RestartTask(task)
	must(t, err)
	if restarted.Code != 204 {
		t.Errorf("restarted a task: %+v", restarted)
	}
	status, err := c.GetTaskStatus(task)
	must(t, err)
	if status.Code != 200 {
		t.Errorf("status of a task: %+v", status)
	}
}

func checkLife(t *testing.T, c connectors.HighLevelClient, r connectors.ConnectorRequest) {
	t.Helper()
	paused, err := c.PauseConnector(r, true)
	must(t, err)
	resumed, err := c.ResumeConnector(r, true)
	must(t, err)
	restarted, err := c.RestartConnector(r)
	must(t, err)
	if paused.Code != 202 || resumed.Code != 202 || restarted.Code != 204 {
		t.Errorf("paused %d, resumed %d, restarted %d", paused.Code, resumed.Code, restarted.Code)
	}
	eventually(t, "the connector to run again", func() bool {
		status, err := c.GetConnectorStatus(r)
		must(t, err)
		return status.Code == 200 && status.ConnectorStatus["state"] == "RUNNING" && len(status.TasksStatus) == 1 && status.TasksStatus[0].State == "RUNNING"
	})
}

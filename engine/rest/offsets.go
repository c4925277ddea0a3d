package rest

import (
	"net/http"

	"github.com/sluice-data/sluice/engine"
)

// connectorOffsets is the body of the offsets endpoints (KIP-875).
type connectorOffsets struct {
	Offsets []engine.ConnectorOffset `json:"offsets"`
}

// message is an answer in words.
type message struct {
	Message string `json:"message"`
}

func (a *api) offsets(w http.ResponseWriter, r *http.Request) error {
	offsets, err := a.worker.Offsets(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, connectorOffsets{offsets})
	return nil
}

func (a *api) alterOffsets(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var req connectorOffsets
	if err := decodeKnowing(body, &req, "offsets, with partition and offset"); err != nil {
		return err
	}
	text, err := a.worker.AlterOffsets(r.Context(), r.PathValue("name"), req.Offsets)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, message{text})
	return nil
}

func (a *api) resetOffsets(w http.ResponseWriter, r *http.Request) error {
	text, err := a.worker.ResetOffsets(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, message{text})
	return nil
}

// topics answers for any name, as Kafka Connect does.
func (a *api) topics(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	topics, err := a.worker.Topics(r.Context(), name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]map[string][]string{name: {"topics": topics}})
	return nil
}

func (a *api) resetTopics(w http.ResponseWriter, r *http.Request) error {
	return empty(w, http.StatusAccepted, a.worker.ResetTopics(r.Context(), r.PathValue("name")))
}

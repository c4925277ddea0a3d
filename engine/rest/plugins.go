package rest

import (
	"net/http"

	"github.com/sluice-data/sluice/engine"
)

func (a *api) plugins(w http.ResponseWriter, r *http.Request) error {
	connectorsOnly := r.URL.Query().Get("connectorsOnly") != "false"
	writeJSON(w, http.StatusOK, a.worker.Plugins(connectorsOnly))
	return nil
}

func (a *api) pluginConfig(w http.ResponseWriter, r *http.Request) error {
	definitions, err := a.worker.PluginConfig(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, definitions)
	return nil
}

// validate answers 200 with the errors inside.
func (a *api) validate(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	config, nulls, err := decodeConfig(body)
	if err != nil {
		return err
	}
	infos, err := a.worker.Validate(r.Context(), r.PathValue("name"), config)
	if err != nil {
		return err
	}
	for _, key := range nulls {
		addNull(&infos, key)
	}
	writeJSON(w, http.StatusOK, infos)
	return nil
}

// addNull adds the error of a key whose value is null.
func addNull(infos *engine.ConfigInfos, key string) {
	infos.ErrorCount++
	for i := range infos.Configs {
		if v := &infos.Configs[i].Value; v.Name == key {
			v.Errors = append(v.Errors, nullValue)
			return
		}
	}
	infos.Configs = append(infos.Configs, engine.ConfigInfo{Value: engine.ConfigValue{Name: key,
		RecommendedValues: []string{}, Errors: []string{nullValue}, Visible: true}})
}

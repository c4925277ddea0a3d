package security

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
)

// envelope is security.json, see the package comment.
type envelope struct {
	Version int             `json:"version"`
	CRC     string          `json:"crc32c"`
	Body    json.RawMessage `json:"security"`
}

// body is the part that the CRC covers.
type body struct {
	SaltKey []byte       `json:"salt_key"`
	SCRAM   []scramEntry `json:"scram"`
	ACLs    []ACL        `json:"acls"`
	Quotas  []quotaEntry `json:"quotas"`
}

type scramEntry struct {
	User      string `json:"user"`
	Mechanism string `json:"mechanism"`
	Credential
}

type quotaEntry struct {
	Entity map[string]*string `json:"entity"`
	Values map[string]float64 `json:"values"`
}

func crcOf(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// encode writes the file. Equal states have equal bytes.
func encode(s *state) ([]byte, error) {
	all := body{SaltKey: s.saltKey, SCRAM: []scramEntry{}, ACLs: append([]ACL{}, s.acls...), Quotas: []quotaEntry{}}
	for k, c := range s.scram {
		all.SCRAM = append(all.SCRAM, scramEntry{k.user, k.mechanism.String(), c})
	}
	slices.SortFunc(all.SCRAM, func(a, b scramEntry) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Mechanism, b.Mechanism))
	})
	for _, e := range sortedEntities(s.quotas) {
		all.Quotas = append(all.Quotas, quotaEntry{e.Parts(), s.quotas[e]})
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(envelope{Version: 0, CRC: crcOf(b), Body: b})
	return append(out, '\n'), err
}

// decode reads the file and checks everything in it.
func decode(b []byte) (*state, error) {
	var e envelope
	var all body
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, err
	}
	if e.Version != 0 {
		return nil, fmt.Errorf("version %d is not known", e.Version)
	}
	if got := crcOf(e.Body); got != e.CRC {
		return nil, fmt.Errorf("CRC is %s, want %s", got, e.CRC)
	}
	if err := json.Unmarshal(e.Body, &all); err != nil {
		return nil, err
	}
	if len(all.SaltKey) == 0 {
		return nil, fmt.Errorf("salt_key is empty")
	}
	s := &state{saltKey: all.SaltKey, acls: all.ACLs, scram: map[scramKey]Credential{}, quotas: map[Entity]map[string]float64{}}
	for _, c := range all.SCRAM {
		m, ok := ParseMechanism(c.Mechanism)
		if !ok || c.User == "" {
			return nil, fmt.Errorf("user %q has the mechanism %q", c.User, c.Mechanism)
		}
		if err := c.check(m); err != nil {
			return nil, fmt.Errorf("user %q: %w", c.User, err)
		}
		s.scram[scramKey{c.User, m}] = c.Credential
	}
	for i := range s.acls {
		if err := s.acls[i].Validate(); err != nil {
			return nil, fmt.Errorf("ACL %d: %w", i, err)
		}
	}
	slices.SortFunc(s.acls, compareACLs)
	for _, q := range all.Quotas {
		if err := s.addQuota(q); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *state) addQuota(q quotaEntry) error {
	entity, err := NewEntity(q.Entity)
	if err != nil {
		return err
	}
	for key, value := range q.Values {
		if err := entity.checkValue(key, value); err != nil {
			return err
		}
	}
	s.quotas[entity] = q.Values
	return nil
}

package engine

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// sessionKeyKey is the key of the record with the session key (KIP-507).
	sessionKeyKey = "session-key"
	// signatureAlgorithm is the one for which workers agree on keys.
	signatureAlgorithm = "HmacSHA256"
	// Headers of requests between workers.
	signatureHeader          = "X-Connect-Authorization"
	signatureAlgorithmHeader = "X-Connect-Request-Signature-Algorithm"
)

// sessionKey signs the requests between the workers of a group. Who may read the
// config topic knows it.
type sessionKey struct {
	key     []byte // nil: there is none
	created time.Time
}

// newSessionKey makes a key.
func newSessionKey(now time.Time) (sessionKey, error) {
	k := sessionKey{make([]byte, sha256.Size), now}
	if _, err := rand.Read(k.key); err != nil {
		return sessionKey{}, fmt.Errorf("make a session key: %w", err)
	}
	return k, nil
}

// sessionRecord is a value of the config topic.
type sessionRecord struct {
	Key       []byte `json:"key"` // base64 in JSON
	Algorithm string `json:"algorithm"`
	Created   int64  `json:"creation-timestamp"` // ms since 1970
}

func (k sessionKey) record() sessionRecord {
	return sessionRecord{k.key, signatureAlgorithm, k.created.UnixMilli()}
}

// apply takes a record of the config topic over.
func (k *sessionKey) apply(value []byte) error {
	if value == nil {
		*k = sessionKey{}
		return nil
	}
	var r sessionRecord
	if json.Unmarshal(value, &r) != nil {
		return errors.New("the session key is not what it should be") // no text of the record (I6)
	}
	if r.Algorithm != signatureAlgorithm || len(r.Key) == 0 {
		return fmt.Errorf("session key for %q: this worker signs with %s; set inter.worker.key.generation.algorithm to it on every worker", r.Algorithm, signatureAlgorithm)
	}
	k.key, k.created = r.Key, time.UnixMilli(r.Created)
	return nil
}

func (k sessionKey) sum(body []byte) []byte {
	mac := hmac.New(sha256.New, k.key)
	mac.Write(body)
	return mac.Sum(nil)
}

// sign adds the signature of a body to a request's headers.
func (k sessionKey) sign(h http.Header, body []byte) {
	h.Set(signatureHeader, base64.StdEncoding.EncodeToString(k.sum(body)))
	h.Set(signatureAlgorithmHeader, signatureAlgorithm)
}

// verify returns an error unless a body was signed by a worker of the group. The
// texts are Kafka Connect's.
func (k sessionKey) verify(h http.Header, body []byte) error {
	given, algorithm := h.Get(signatureHeader), h.Get(signatureAlgorithmHeader)
	if given == "" || algorithm == "" {
		return badRequest("Internal request missing required signature")
	}
	if algorithm != signatureAlgorithm {
		return badRequest("This worker does not support the '%s' key signing algorithm used by other workers. This worker is currently configured to use: [%s]. "+
			"Check that all workers' configuration files permit the same set of signature algorithms, and correct any misconfigured worker and restart it.", algorithm, signatureAlgorithm)
	}
	sum, err := base64.StdEncoding.DecodeString(given)
	if err != nil {
		return badRequest("Internal request has a signature that is not base64")
	}
	if k.key == nil {
		return &Error{KindUnavailable, "This worker is still starting up and has not been able to read a session key from the config topic yet"}
	}
	if !hmac.Equal(sum, k.sum(body)) {
		return &Error{KindForbidden, "Internal request contained invalid signature."}
	}
	return nil
}

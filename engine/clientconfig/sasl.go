package clientconfig

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sluice-data/sluice/internal/jaas"
)

// The values of sasl.mechanism.
const (
	mechanismPlain    = "PLAIN"
	mechanismScram256 = "SCRAM-SHA-256"
	mechanismScram512 = "SCRAM-SHA-512"
)

func (s *Settings) checkMechanism() error {
	switch s.mechanism {
	case "", mechanismPlain, mechanismScram256, mechanismScram512:
		return nil
	case "OAUTHBEARER", "GSSAPI":
		return fmt.Errorf("%s is not supported: use SCRAM-SHA-512, or PLAIN with security.protocol=SASL_SSL, or a client certificate with security.protocol=SSL", s.mechanism)
	}
	return errors.New("use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
}

// sasl returns the mechanism with its user and password.
func (s *Settings) sasl() (sasl.Mechanism, error) {
	if s.mechanism == "" {
		return nil, fmt.Errorf("sasl.mechanism: security.protocol=%s needs one; use SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN (Kafka's default, GSSAPI, is not supported)", s.protocol)
	}
	login, err := jaas.Parse(s.jaas.Reveal())
	if err != nil {
		return nil, fmt.Errorf("sasl.jaas.config: %w", err)
	}
	module := "org.apache.kafka.common.security.scram.ScramLoginModule"
	if s.mechanism == mechanismPlain {
		module = "org.apache.kafka.common.security.plain.PlainLoginModule"
	}
	var user, password string
	for _, o := range login.Options {
		switch o.Name {
		case "username":
			user = o.Value
		case "password":
			password = o.Value
		}
	}
	if login.Module != module || user == "" || password == "" {
		return nil, fmt.Errorf("sasl.jaas.config: for sasl.mechanism=%s give: %s required username=\"USER\" password=\"PASSWORD\";", s.mechanism, module)
	}
	switch s.mechanism {
	case mechanismPlain:
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case mechanismScram256:
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	}
	return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
}

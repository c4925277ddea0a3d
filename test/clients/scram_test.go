package clients

import (
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/xdg-go/scram"
)

func segmentioPlain(user, password string) sasl.Mechanism {
	return plain.Mechanism{Username: user, Password: password}
}

// saramaSCRAM is the SCRAM client that Sarama leaves to its users.
type saramaSCRAM struct {
	sha512 bool
	*scram.ClientConversation
}

// Begin starts a login.
func (c *saramaSCRAM) Begin(user, password, authzID string) error {
	hash := scram.SHA256
	if c.sha512 {
		hash = scram.SHA512
	}
	client, err := hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	c.ClientConversation = client.NewConversation()
	return nil
}

package convert

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/clientconfig"
)

// registryConfig says how to reach a schema registry and what to do there.
type registryConfig struct {
	prefix     string
	urls       []string
	authSource string
	user       connect.Secret
	// The same under the names that have registryPrefix too.
	prefixedSource string
	prefixedUser   connect.Secret
	// bearer is a token in place of user and password.
	bearerSource string
	bearer       connect.Secret
	oauth        oauthConfig
	sasl         saslConfig
	// cluster and pool go with a token, for Confluent Cloud.
	cluster, pool string
	proxyHost     string
	proxyPort     int
	autoRegister  bool
	keepTags      bool
	normalize     bool
	strategy      string
	context       string
	// useLatest and useID write by a schema that is registered already.
	useLatest, latestStrict bool
	// metadata picks the latest version that has these properties; the same as a query.
	metadata      []string
	metadataQuery url.Values
	latestTTL     time.Duration // how long the latest version counts as the latest; negative: for ever
	useID         int
	useGUID       string
	guid          [guidSize]byte // of useGUID
	idStrict      bool
	// writeHeader has ids in headers; prefixOnly does not look there.
	idSerializer, idDeserializer string
	writeHeader, prefixOnly      bool
	tls                          clientconfig.Settings
}

const (
	registryPrefix = "schema.registry."
	userInfo       = "USER_INFO"    // as a source of credentials
	staticToken    = "STATIC_TOKEN" // as a source of tokens
	oauthBearer    = "OAUTHBEARER"
	saslInherit    = "SASL_OAUTHBEARER_INHERIT"
)

// Subject name strategies: how a subject is named after a topic and the name of its records.
const (
	topicName       = "TopicNameStrategy"
	recordName      = "RecordNameStrategy"
	topicRecordName = "TopicRecordNameStrategy"
	strategyPackage = "io.confluent.kafka.serializers.subject."
)

// The context name strategy that there is: it names none.
const (
	nullContext    = "NullContextNameStrategy"
	contextPackage = "io.confluent.kafka.serializers.context."
)

// Where the id of a schema is: in front of the data, or in a header of the record.
const (
	idPackage          = "io.confluent.kafka.serializers.schema.id."
	prefixSerializer   = "PrefixSchemaIdSerializer"
	headerSerializer   = "HeaderSchemaIdSerializer"
	prefixDeserializer = "PrefixSchemaIdDeserializer"
	dualDeserializer   = "DualSchemaIdDeserializer"
)

func (c *registryConfig) define(d *connect.Def, prefix string) {
	c.prefix = prefix
	side := "value"
	if strings.HasPrefix(prefix, "key.") {
		side = "key"
	}
	for _, o := range []connect.Option{
		{Name: "schema.registry.url", Var: &c.urls, Importance: connect.High, Doc: "The schema registries, tried in this order; the worker's own when there is none."},
		{Name: "basic.auth.credentials.source", Var: &c.authSource, Default: "URL", OneOf: []string{"URL", userInfo}, Doc: "Where user and password are: in the URL, or in basic.auth.user.info."},
		{Name: "basic.auth.user.info", Var: &c.user, Doc: "User and password as USER:PASSWORD, with basic.auth.credentials.source=USER_INFO."},
		{Name: registryPrefix + "basic.auth.credentials.source", Var: &c.prefixedSource, NoDefault: true, OneOf: []string{"URL", userInfo}, Doc: "Another name of basic.auth.credentials.source."},
		{Name: registryPrefix + "basic.auth.user.info", Var: &c.prefixedUser, Doc: "Another name of basic.auth.user.info."},
		{Name: "bearer.auth.credentials.source", Var: &c.bearerSource, Default: staticToken, OneOf: []string{staticToken, oauthBearer, saslInherit}, Doc: "Where the token is: in bearer.auth.token, or to be fetched with the credentials of a client, which are here or in sasl.jaas.config."},
		{Name: "bearer.auth.token", Var: &c.bearer, Check: c.checkBearer, Doc: "A token to show to the registry, in place of user and password."},
		{Name: "sasl.jaas.config", Var: &c.sasl.jaas, Doc: "Login module with clientId, clientSecret, scope and extension_identityPoolId, with bearer.auth.credentials.source=SASL_OAUTHBEARER_INHERIT; the options of bearer.auth that are given win over it."},
		{Name: "sasl.oauthbearer.token.endpoint.url", Var: &c.sasl.endpoint, Default: "", Doc: "URL of the token endpoint, with bearer.auth.credentials.source=SASL_OAUTHBEARER_INHERIT."},
		{Name: "bearer.auth.issuer.endpoint.url", Var: &c.oauth.endpoint, Default: "", Doc: "URL of the token endpoint, with bearer.auth.credentials.source=OAUTHBEARER."},
		{Name: "bearer.auth.client.id", Var: &c.oauth.id, Default: "", Doc: "The client that tokens are fetched for."},
		{Name: "bearer.auth.client.secret", Var: &c.oauth.secret, Doc: "Secret of the client."},
		{Name: "bearer.auth.scope", Var: &c.oauth.scope, Default: "", Doc: "Scopes to ask for, separated by spaces."},
		{Name: "bearer.auth.cache.expiry.buffer.seconds", Var: &c.oauth.early, Unit: time.Second, Default: "300", Doc: "A fetched token is replaced this many seconds before it expires, and after four fifths of its time at the latest."},
		{Name: "bearer.auth.logical.cluster", Var: &c.cluster, Default: "", Doc: "Logical cluster of the registry in Confluent Cloud, sent along with a token."},
		{Name: "bearer.auth.identity.pool.id", Var: &c.pool, Default: "", Doc: "Identity pool in Confluent Cloud, sent along with a token."},
		{Name: "proxy.host", Var: &c.proxyHost, Default: "", Doc: "Host of an HTTP proxy for requests to the registry. Without it HTTPS_PROXY and HTTP_PROXY of the worker's environment."},
		{Name: "proxy.port", Var: &c.proxyPort, Default: "-1", Doc: "Port of the proxy."},
		{Name: "auto.register.schemas", Var: &c.autoRegister, Default: "true", Doc: "Register the schemas that are written; otherwise they have to be there."},
		{Name: "propagate.schema.tags", Var: &c.keepTags, Default: "false", Doc: "Let a schema that is registered keep the tags of the version before it."},
		{Name: "use.latest.version", Var: &c.useLatest, Default: "false", Doc: "Write by the latest version of the subject, without auto.register.schemas."},
		{Name: "use.latest.with.metadata", Var: &c.metadata, Default: "", Check: c.checkMetadata, Doc: "Write by the latest version of the subject whose metadata has these properties, a list of name=value, without auto.register.schemas."},
		{Name: "latest.cache.ttl.sec", Var: &c.latestTTL, Unit: time.Second, Default: "-1", Doc: "Seconds after which the registry is asked again for the latest version; -1: never."},
		{Name: "latest.compatibility.strict", Var: &c.latestStrict, Default: "true", Doc: "Refuse a latest version that the data's own schema does not fit."},
		{Name: "use.schema.id", Var: &c.useID, Default: "-1", Doc: "Write by the schema with this id, without auto.register.schemas; -1: none."},
		{Name: "use.schema.guid", Var: &c.useGUID, Default: "", Check: c.checkGUID, Doc: "Write by the schema with this GUID, without auto.register.schemas."},
		{Name: "id.compatibility.strict", Var: &c.idStrict, Default: "true", Doc: "Refuse a schema of use.schema.id or use.schema.guid that the data's own schema does not fit."},
		{Name: "normalize.schemas", Var: &c.normalize, Default: "false", Doc: "Let the registry take schemas for the same that differ only in their form."},
		{Name: side + ".subject.name.strategy", Var: &c.strategy, Default: strategyPackage + topicName, Check: c.checkStrategy, Doc: "How subjects are named: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy."},
		{Name: "context.name.strategy", Var: &c.context, Default: contextPackage + nullContext, Check: c.checkContext, Doc: "How the context of a topic's schemas is named: NullContextNameStrategy, not at all. A context for all topics stands in the URL, as in http://127.0.0.1:8081/contexts/.mine."},
		{Name: side + ".schema.id.serializer", Var: &c.idSerializer, Default: idPackage + prefixSerializer, Check: c.checkSerializer, Doc: "Where the id of the schema is written: PrefixSchemaIdSerializer in front of the data, HeaderSchemaIdSerializer in a header."},
		{Name: side + ".schema.id.deserializer", Var: &c.idDeserializer, Default: idPackage + dualDeserializer, Check: c.checkDeserializer, Doc: "Where the id of the schema is looked for: DualSchemaIdDeserializer in a header, then in front of the data; PrefixSchemaIdDeserializer there only."},
	} {
		o.Name, o.Group = prefix+o.Name, "Schema Registry"
		d.Add(o)
	}
	var stores connect.Def
	c.tls.DefineTLS(&stores, prefix+registryPrefix)
	for _, o := range stores.Options() {
		o.Group, o.Importance = "Schema Registry", connect.Low
		d.Add(o)
	}
}

func (c *registryConfig) checkMetadata() error {
	query := make(url.Values)
	for _, pair := range c.metadata {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return fmt.Errorf("%q is not name=value", pair)
		}
		query.Add("key", name)
		query.Add("value", value)
	}
	c.metadataQuery = query
	return nil
}

func (c *registryConfig) checkGUID() error {
	if c.useGUID == "" {
		return nil
	}
	p, err := hex.DecodeString(strings.ReplaceAll(c.useGUID, "-", ""))
	if err != nil || len(p) != guidSize {
		return errors.New("must be a GUID such as 89791762-2336-4186-9674-299b90a802e2")
	}
	c.guid = [guidSize]byte(p)
	return nil
}

func (c *registryConfig) checkBearer() error {
	if strings.ContainsAny(c.bearer.Reveal(), " \r\n\t") {
		return errors.New("must be one word")
	}
	return nil
}

// asksLatest tells whether values are written by a version that may become an older one.
func (c *registryConfig) asksLatest() bool {
	return !c.autoRegister && c.useID < 0 && c.useGUID == "" && (c.useLatest || len(c.metadataQuery) > 0)
}

func (c *registryConfig) checkSerializer() error {
	name := strings.TrimPrefix(c.idSerializer, idPackage)
	c.writeHeader = name == headerSerializer
	return oneOf(name, prefixSerializer, headerSerializer)
}

func (c *registryConfig) checkDeserializer() error {
	name := strings.TrimPrefix(c.idDeserializer, idPackage)
	c.prefixOnly = name == prefixDeserializer
	return oneOf(name, dualDeserializer, prefixDeserializer)
}

func oneOf(name string, allowed ...string) error {
	if slices.Contains(allowed, name) {
		return nil
	}
	return fmt.Errorf("use %s", strings.Join(allowed, " or "))
}

func (c *registryConfig) checkStrategy() error {
	return oneOf(strings.TrimPrefix(c.strategy, strategyPackage), topicName, recordName, topicRecordName)
}

func (c *registryConfig) checkContext() error {
	return oneOf(strings.TrimPrefix(c.context, contextPackage), nullContext)
}

// client returns what asks the registry. It does not connect.
func (c *registryConfig) client() (*schemaClient, error) {
	if len(c.urls) == 0 {
		return nil, &connect.ConfigError{Option: c.prefix + "schema.registry.url", Reason: "name a schema registry, such as http://127.0.0.1:8081"}
	}
	if c.bearerSource == saslInherit {
		if err := c.inherit(); err != nil {
			return nil, err
		}
	}
	config, err := c.tls.TLS()
	if err != nil {
		option, reason, _ := strings.Cut(err.Error(), ": ")
		return nil, &connect.ConfigError{Option: c.prefix + registryPrefix + option, Reason: reason}
	}
	proxy, err := c.proxy()
	if err != nil {
		return nil, err
	}
	urls, login, err := c.servers()
	if err != nil {
		return nil, err
	}
	requests := httpClient(config, proxy)
	if c.fetchesTokens() {
		requests.Transport = authorized{requests.Transport, c.oauth.tokens(httpClient(config, http.ProxyFromEnvironment))}
	}
	opts := []sr.ClientOpt{sr.HTTPClient(requests), sr.UserAgent("sluice"), sr.PreReq(c.target)}
	if login != nil {
		opts = append(opts, login)
	}
	s := &schemaClient{ctx: context.Background(), timeout: registryTimeout, urls: strings.Join(urls, ", ")}
	for _, u := range urls {
		client, err := sr.NewClient(append(opts, sr.URLs(u))...)
		if err != nil {
			return nil, &connect.ConfigError{Option: c.prefix + "schema.registry.url", Reason: err.Error()}
		}
		s.servers = append(s.servers, server{client, u})
	}
	return s, nil
}

func (c *registryConfig) fetchesTokens() bool {
	return c.bearerSource == oauthBearer || c.bearerSource == saslInherit
}

// proxy returns what chooses the proxy of a request.
func (c *registryConfig) proxy() (func(*http.Request) (*url.URL, error), error) {
	switch {
	case c.proxyHost == "":
		return http.ProxyFromEnvironment, nil
	case c.proxyPort < 1 || c.proxyPort > 65535:
		return nil, &connect.ConfigError{Option: c.prefix + "proxy.port", Reason: "is needed with proxy.host, from 1 to 65535"}
	case strings.ContainsAny(c.proxyHost, "/@ "):
		return nil, &connect.ConfigError{Option: c.prefix + "proxy.host", Reason: "must be a host, without a scheme, user or port"}
	}
	return http.ProxyURL(&url.URL{Scheme: "http", Host: net.JoinHostPort(c.proxyHost, strconv.Itoa(c.proxyPort))}), nil
}

// target says to Confluent Cloud which of its clusters a token is for, and which of its identity pools it is from.
func (c *registryConfig) target(r *http.Request) error {
	if !c.fetchesTokens() && c.bearer.Reveal() == "" {
		return nil
	}
	for name, value := range map[string]string{"target-sr-cluster": c.cluster, "Confluent-Identity-Pool-Id": c.pool} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return nil
}

// servers returns the URLs without users and passwords, which would be in errors (I6), and what logs in, nil for nobody.
func (c *registryConfig) servers() (urls []string, login sr.ClientOpt, err error) {
	var inURL *url.Userinfo
	for _, text := range c.urls {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, nil, &connect.ConfigError{Option: c.prefix + "schema.registry.url", Reason: "must be URLs such as http://127.0.0.1:8081"}
		}
		if inURL == nil {
			inURL = u.User
		}
		u.User = nil
		urls = append(urls, u.String())
	}
	if c.fetchesTokens() {
		return urls, nil, c.oauth.check(c.prefix, c.bearerSource)
	}
	if token := c.bearer.Reveal(); token != "" {
		return urls, sr.BearerToken(token), nil
	}
	if c.authSource == "URL" && c.prefixedSource != userInfo {
		if password, ok := inURL.Password(); ok {
			login = sr.BasicAuth(inURL.Username(), password)
		}
		return urls, login, nil
	}
	text := c.user.Reveal()
	if text == "" {
		text = c.prefixedUser.Reveal()
	}
	user, password, ok := strings.Cut(text, ":")
	if !ok {
		return nil, nil, &connect.ConfigError{Option: c.prefix + "basic.auth.user.info", Reason: "must be USER:PASSWORD"}
	}
	return urls, sr.BasicAuth(user, password), nil
}

// subject is the name under which a schema is registered.
func (c *registryConfig) subject(topic, record string, isKey bool) (string, error) {
	switch strings.TrimPrefix(c.strategy, strategyPackage) {
	case recordName:
		return record, needRecord(record)
	case topicRecordName:
		return topic + "-" + record, needRecord(record)
	}
	return topicSubject(topic, isKey), nil
}

func topicSubject(topic string, isKey bool) string {
	if isKey {
		return topic + "-key"
	}
	return topic + "-value"
}

// topicSubject is the subject of the schemas of a topic, "" where the name of a record is part of it.
func (c *registryConfig) topicSubject(topic string, isKey bool) string {
	if strings.TrimPrefix(c.strategy, strategyPackage) != topicName {
		return ""
	}
	return topicSubject(topic, isKey)
}

func needRecord(name string) error {
	if name == "" {
		return errors.New("the subject name strategy needs the name of a record, and the schema is no record; use TopicNameStrategy")
	}
	return nil
}

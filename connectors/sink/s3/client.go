package s3

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// newStore makes the client by the config and, for what that leaves out, the
// SDK's default chain. It sends nothing to S3.
func newStore(ctx context.Context, c *Config) (*store, error) {
	loaded, err := config.LoadDefaultConfig(ctx, c.loadOptions()...)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration of the worker's environment: %w", err)
	}
	if loaded.Region == "" {
		loaded.Region = fallbackRegion
	}
	httpClient, transport := newHTTPClient(loaded.HTTPClient)
	if proxy := c.proxy(); proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	if c.assumesRole() {
		loaded.Credentials = c.roleCredentials(loaded, httpClient)
	}
	loaded.Credentials = &markedCredentials{CredentialsProvider: loaded.Credentials}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) { c.setOptions(o, httpClient) })
	return &store{client: client, config: c, bucket: c.bucket, region: loaded.Region, idle: transport.CloseIdleConnections}, nil
}

func (c *Config) loadOptions() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(c.credentialsTimeout())), // takes AWS_CA_BUNDLE
	}
	if c.region != "" {
		options = append(options, config.WithRegion(c.region))
	}
	if c.secretAccessKey.IsSet() {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.accessKeyID, c.secretAccessKey.Reveal(), c.sessionToken.Reveal())))
	}
	return options
}

// credentialsTimeout is how long a request for credentials may take. The SDK makes one for all requests to S3 that wait for them, and it does not end with
// theirs: without a limit of its own, one that is never answered would be the last.
func (c *Config) credentialsTimeout() time.Duration {
	return cmp.Or(c.credentialsLimit, requestTimeout(0))
}

// roleCredentials assumes the role with the credentials that were found, again before they end.
func (c *Config) roleCredentials(loaded aws.Config, httpClient *http.Client) aws.CredentialsProvider {
	limited := *httpClient
	limited.Timeout = c.credentialsTimeout()
	client := sts.NewFromConfig(loaded, func(o *sts.Options) {
		o.HTTPClient = &limited
		if c.stsRegion != "" {
			o.Region = c.stsRegion
		}
	})
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, c.roleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = c.roleSession
		if c.roleSession == "" {
			o.RoleSessionName = "sluice"
		}
		o.ExternalID = optional(c.roleExternalID)
	}))
}

func (c *Config) setOptions(o *s3.Options, httpClient *http.Client) {
	o.HTTPClient = httpClient
	o.Retryer = aws.NopRetryer{} // retrier knows what can wait
	o.UsePathStyle = c.pathStyle
	if c.storeURL != "" {
		o.BaseEndpoint = aws.String(c.endpoint())
	}
	if !c.expectContinue {
		o.ContinueHeaderThresholdBytes = -1
	}
	o.UseAccelerate = c.wanMode
	amazon := o.BaseEndpoint == nil || isAWS(*o.BaseEndpoint)
	// Checksums in trailers are unknown to many servers other than AWS.
	if c.checksum == "none" || c.checksum == auto && !amazon {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	if c.signPayload == "false" || c.signPayload == auto && o.BaseEndpoint != nil && strings.HasPrefix(*o.BaseEndpoint, "https:") {
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
}

func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && (strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn"))
}

// newHTTPClient returns a client of our own: its connections can be closed, and
// there is one for every worker.
func newHTTPClient(loaded aws.HTTPClient) (*http.Client, *http.Transport) {
	transport := awshttp.NewBuildableClient().GetTransport()
	if b, ok := loaded.(*awshttp.BuildableClient); ok {
		transport = b.GetTransport()
	}
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	transport.MaxIdleConns = 2 * workers
	transport.MaxIdleConnsPerHost = workers
	transport.IdleConnTimeout = 90 * time.Second
	transport.ExpectContinueTimeout = time.Second
	transport.ForceAttemptHTTP2 = false // S3 has none
	transport.WriteBufferSize = 64 << 10
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(workers)
	// S3 redirects to another region, for which the signature would be wrong.
	return &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, transport
}

// markedCredentials makes the errors of a provider known as such.
type markedCredentials struct {
	aws.CredentialsProvider
	had atomic.Bool
}

func (m *markedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := m.CredentialsProvider.Retrieve(ctx)
	switch {
	case err == nil:
		m.had.Store(true)
	case ctx.Err() == nil:
		status := statusCode(err)
		err = &credentialsError{err, m.had.Load() && (status < 400 || status == http.StatusTooManyRequests || status >= 500)}
	}
	return got, err
}

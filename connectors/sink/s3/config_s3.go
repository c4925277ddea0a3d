package s3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sluice-data/sluice/connect"
)

// s3Options say where the bucket is and who asks for it.
func (c *Config) s3Options() []connect.Option {
	return []connect.Option{
		{Name: "s3.bucket.name", Var: &c.bucket, Required: true, Doc: "The bucket, which must exist.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Bucket"},
		{Name: "s3.region", Var: &c.region, NoDefault: true,
			Doc: "Region of the bucket. Without it AWS_REGION, AWS_DEFAULT_REGION or the AWS profile of the worker's " +
				"environment, else " + fallbackRegion + ".",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthLong, Display: "Region"},
		{Name: "aws.access.key.id", Var: &c.accessKeyID,
			Doc:   "Access key. Without it the AWS environment (variables, profile, role) has the credentials.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Access key id"},
		{Name: "aws.secret.access.key", Var: &c.secretAccessKey, Doc: "Secret of the access key.",
			Group: groupS3, Importance: connect.High, Width: connect.WidthLong, Display: "Secret access key"},
		{Name: "aws.session.token", Var: &c.sessionToken, Doc: "Session token of a temporary access key.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Session token"},
		{Name: "s3.credentials.provider.class", Var: &c.provider, Class: true, Default: defaultProviders[0], OneOf: append(defaultProviders, roleProviders...),
			Doc: "Where credentials come from: the AWS environment, which covers variables, profiles, web identity, containers and instances, or a role that is assumed " +
				"with them, or with the access key.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Credentials provider"},
		{Name: providerPrefix + "sts.role.arn", Var: &c.roleARN, Doc: "The role to assume.",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthLong, Display: "Role"},
		{Name: providerPrefix + "sts.role.external.id", Var: &c.roleExternalID, Doc: "The external id that the role wants.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "External id"},
		{Name: providerPrefix + "sts.role.session.name", Var: &c.roleSession, Doc: "The name of the session, which logs show; the connector's when empty.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Session name"},
		{Name: providerPrefix + "sts.region", Var: &c.stsRegion, Doc: "The region of the token service; s3.region when empty.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Region of the token service"},
		{Name: "s3.path.style.access.enabled", Var: &c.pathStyle, Default: "true",
			Doc:   "Whether the bucket is in the path of URLs or in the host name.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Path style access"},
		{Name: "s3.wan.mode", Var: &c.wanMode, Default: "false",
			Doc:   "Whether AWS's accelerated endpoint is used. Needs s3.path.style.access.enabled=false.",
			Group: groupS3, Importance: connect.Medium, Width: connect.WidthLong, Display: "S3 acceleration"},
		{Name: "s3.proxy.url", Var: &c.proxyURL, Check: c.checkProxy,
			Doc:   "URL of an HTTP proxy; user and password may be in it. Without it HTTPS_PROXY and HTTP_PROXY of the worker's environment.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Proxy"},
		{Name: "s3.proxy.user", Var: &c.proxyUser, NoDefault: true, Doc: "User for the proxy.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Proxy user"},
		{Name: "s3.proxy.password", Var: &c.proxyPassword, NoDefault: true, Doc: "Password for the proxy.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Proxy password"},
	}
}

const providerPrefix = "s3.credentials.provider."

// defaultProviders name the AWS SDK's default chain in both generations of the
// Java SDK; roleProviders assume a role.
var (
	defaultProviders = []string{
		"software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
		"com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
	}
	roleProviders = []string{"io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider"}
)

func (c *Config) assumesRole() bool {
	return strings.HasSuffix(c.provider, "AwsAssumeRoleCredentialsProvider")
}

// objectOptions say what objects have beside their bytes.
func (c *Config) objectOptions() []connect.Option {
	return []connect.Option{
		{Name: "s3.acl.canned", Var: &c.cannedACL, NoDefault: true, OneOf: names(types.ObjectCannedACL("").Values()),
			Doc: "Canned ACL of objects.", Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Canned ACL"},
		{Name: "s3.ssea.name", Var: &c.sseName, OneOf: append([]string{""}, names(types.ServerSideEncryption("").Values())...),
			Doc:   "Encryption on the server.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Server-side encryption"},
		{Name: "s3.sse.kms.key.id", Var: &c.sseKMSKeyID, Doc: "Key for s3.ssea.name=" + sseKMS + "; the account's own when empty.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "KMS key"},
		{Name: "s3.sse.customer.key", Var: &c.sseCustomerKey, NoDefault: true, Check: c.checkCustomerKey,
			Doc:   "Key of the customer, 32 bytes in base64, for s3.ssea.name=AES256. It goes with every request and is not kept by S3.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Customer's key"},
		{Name: "s3.object.tagging", Var: &c.tagging, Default: "false",
			Doc:   "Whether objects get the tags startOffset, endOffset and recordCount.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Tag objects"},
		{Name: "s3.object.tagging.key.value.pairs", Var: &c.tags, Default: "", Check: c.checkTags,
			Doc:   "Further tags, as a list of key:value.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthLong, Display: "Tags"},
		{Name: "s3.object.behavior.on.tagging.error", Var: &c.onTaggingError, Default: "ignore", OneOf: []string{"ignore", "fail"},
			Doc:   "Whether the task goes on or fails when an object could not be tagged.",
			Group: groupS3, Importance: connect.Low, Width: connect.WidthShort, Display: "Tagging errors"},
	}
}

var errCustomerKey = errors.New("it must be 32 bytes in base64")

func (c *Config) checkCustomerKey() error {
	if key, err := base64.StdEncoding.DecodeString(c.sseCustomerKey.Reveal()); err != nil || len(key) != 32 {
		return errCustomerKey // without what was given
	}
	return nil
}

func (c *Config) checkTags() error {
	for _, tag := range c.tags {
		if key, _, ok := strings.Cut(tag, ":"); !ok || key == "" {
			return fmt.Errorf("%q is not key:value", tag)
		}
	}
	return nil
}

var errProxy = errors.New("it must be a URL such as http://proxy.example.com:3128; https:// and socks5:// are the others")

func (c *Config) checkProxy() error {
	if c.proxyURL == "" {
		return nil
	}
	u, err := url.Parse(c.proxyURL)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return errProxy // without what was given, which may have a password
	}
	return nil
}

// proxy is the URL of the proxy with its user, nil without one.
func (c *Config) proxy() *url.URL {
	if c.proxyURL == "" {
		return nil
	}
	u, err := url.Parse(c.proxyURL)
	if err != nil {
		return nil // checked
	}
	if c.proxyUser != "" {
		u.User = url.UserPassword(c.proxyUser, c.proxyPassword.Reveal())
	}
	return u
}

// Validate checks the rules between options.
func (c *Config) Validate() []*connect.ConfigError {
	var errs []*connect.ConfigError
	fail := func(when bool, option, reason string) {
		if when {
			errs = append(errs, &connect.ConfigError{Option: option, Reason: reason})
		}
	}
	missing := "aws.secret.access.key"
	if c.accessKeyID == "" {
		missing = "aws.access.key.id"
	}
	fail((c.accessKeyID != "") != c.secretAccessKey.IsSet(), missing,
		"aws.access.key.id and aws.secret.access.key go together: set both, or neither to use the AWS environment")
	fail(c.sessionToken.IsSet() && c.accessKeyID == "", "aws.session.token", "it belongs to aws.access.key.id, which is not set")
	fail(c.sseKMSKeyID != "" && !strings.HasPrefix(c.sseName, sseKMS), "s3.sse.kms.key.id", "it is used only with s3.ssea.name="+sseKMS)
	fail(c.sseCustomerKey.IsSet() && c.sseName != string(types.ServerSideEncryptionAes256), "s3.sse.customer.key", "it is used only with s3.ssea.name=AES256")
	fail(c.wanMode && c.pathStyle, "s3.path.style.access.enabled", "s3.wan.mode needs the bucket in the host name: set s3.path.style.access.enabled to false")
	fail(c.wanMode && c.pathStyle, "s3.wan.mode", "it needs the bucket in the host name: set s3.path.style.access.enabled to false")
	fail(c.assumesRole() && c.roleARN == "", providerPrefix+"sts.role.arn", "AwsAssumeRoleCredentialsProvider needs the role to assume")
	fail(c.nullValues == nullsWrite && !c.storeKeys, "store.kafka.keys", "behavior.on.null.values=write keeps the keys of records without a value: set store.kafka.keys to true")
	fail(c.nullValues == nullsWrite && c.tombstoneDir == "", "tombstone.encoded.partition", "behavior.on.null.values=write needs a directory")
	fail(strings.Trim(c.fileDelim, "0123456789") == "" && (c.partitionerClass != defaultPartitioner || c.nullValues == nullsWrite), "file.delim",
		"it stands between the numbers of a partition and an offset, and partitions share directories: it needs a character that is no digit")
	errs = append(errs, c.checkFormats()...)
	return append(errs, c.checkPartitioner()...)
}

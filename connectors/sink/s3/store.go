package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sluice-data/sluice/connectors/sink/s3/chunks"
)

// attemptKey is the object metadata (x-amz-meta-) that has upload.attempt.
const attemptKey = "sluice-attempt"

// store makes the requests. Each is sent once: retrier repeats. Bodies are bytes
// in memory, because over plain http the SDK reads them twice, to sign first.
type store struct {
	client *s3.Client
	config *Config
	bucket string
	region string
	idle   func() // closes idle connections
}

func (s *store) endpoint() string {
	if e := s.client.Options().BaseEndpoint; e != nil {
		return *e
	}
	return "AWS S3 in " + s.region
}

// aws tells whether the server is Amazon's.
func (s *store) aws() bool {
	e := s.client.Options().BaseEndpoint
	return e == nil || isAWS(*e)
}

func (s *store) headBucket(ctx context.Context) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if statusCode(err) == http.StatusForbidden {
		// It has no body that would say so when only our clock is wrong. The SDK goes by the server's from now on.
		_, err = s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	}
	return err
}

func (s *store) putObject(ctx context.Context, key, acl string, body ...[]byte) error {
	algorithm, customer, sum := s.customerKey()
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &s.bucket,
		Key:                  &key,
		Body:                 &chunks.Reader{Chunks: body},
		ContentLength:        aws.Int64(length(body)),
		ContentMD5:           s.digest(body),
		ACL:                  types.ObjectCannedACL(acl),
		ServerSideEncryption: s.encryption(),
		SSEKMSKeyId:          optional(s.config.sseKMSKeyID),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: customer, SSECustomerKeyMD5: sum,
	})
	return err
}

// ownACL is the access to objects of the sink's own: what the config says, unless that is
// for everybody.
func (s *store) ownACL() string {
	switch acl := types.ObjectCannedACL(s.config.cannedACL); acl {
	case types.ObjectCannedACLPublicRead, types.ObjectCannedACLPublicReadWrite, types.ObjectCannedACLAuthenticatedRead:
		return ""
	default:
		return string(acl)
	}
}

func (s *store) createUpload(ctx context.Context, u *upload) (string, error) {
	algorithm, customer, sum := s.customerKey()
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:               &s.bucket,
		Key:                  &u.key,
		Metadata:             map[string]string{attemptKey: u.attempt},
		ACL:                  types.ObjectCannedACL(s.config.cannedACL),
		ServerSideEncryption: s.encryption(),
		SSEKMSKeyId:          optional(s.config.sseKMSKeyID),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: customer, SSECustomerKeyMD5: sum,
	})
	if err != nil {
		return "", err
	}
	if aws.ToString(out.UploadId) == "" {
		return "", errors.New("the answer has no upload id")
	}
	return *out.UploadId, nil
}

func (s *store) uploadPart(ctx context.Context, u *upload, number int32, body [][]byte) (etag string, err error) {
	algorithm, customer, sum := s.customerKey()
	out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:               &s.bucket,
		Key:                  &u.key,
		UploadId:             &u.id,
		PartNumber:           &number,
		Body:                 &chunks.Reader{Chunks: body},
		ContentLength:        aws.Int64(length(body)),
		ContentMD5:           s.digest(body),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: customer, SSECustomerKeyMD5: sum,
	})
	if err != nil {
		return "", err
	}
	if aws.ToString(out.ETag) == "" {
		return "", errors.New("the answer has no ETag")
	}
	return *out.ETag, nil
}

// encryption is what the server does by itself; a customer's key stands in its own headers.
func (s *store) encryption() types.ServerSideEncryption {
	if s.config.sseCustomerKey.IsSet() {
		return ""
	}
	return types.ServerSideEncryption(s.config.sseName)
}

// customerKey is what every request about an object has when the customer has its key (SSE-C).
func (s *store) customerKey() (algorithm, key, sum *string) {
	if !s.config.sseCustomerKey.IsSet() {
		return nil, nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(s.config.sseCustomerKey.Reveal())
	if err != nil {
		return nil, nil, nil // checked
	}
	digest := md5.Sum(raw)
	return aws.String(s.config.sseName), aws.String(s.config.sseCustomerKey.Reveal()), aws.String(base64.StdEncoding.EncodeToString(digest[:]))
}

// digest is the MD5 of a body, if it is to be sent.
func (s *store) digest(body [][]byte) *string {
	if !s.config.sendDigest {
		return nil
	}
	sum := md5.New()
	for _, piece := range body {
		sum.Write(piece)
	}
	return aws.String(base64.StdEncoding.EncodeToString(sum.Sum(nil)))
}

func length(body [][]byte) int64 {
	n := 0
	for _, piece := range body {
		n += len(piece)
	}
	return int64(n)
}

// tagObject puts tags on an object, which are in the form of a query.
func (s *store) tagObject(ctx context.Context, key, tags string) error {
	values, err := url.ParseQuery(tags)
	if err != nil {
		return fmt.Errorf("read tags: %w", err)
	}
	var set []types.Tag
	for _, name := range slices.Sorted(maps.Keys(values)) {
		set = append(set, types.Tag{Key: aws.String(name), Value: aws.String(values.Get(name))})
	}
	_, err = s.client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &s.bucket, Key: &key, Tagging: &types.Tagging{TagSet: set}})
	return err
}

// getObject reads an object of limited size.
func (s *store) getObject(ctx context.Context, key string, most int64) ([]byte, error) {
	algorithm, customer, sum := s.customerKey()
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key,
		SSECustomerAlgorithm: algorithm, SSECustomerKey: customer, SSECustomerKeyMD5: sum})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(io.LimitReader(out.Body, most))
}

// eachUpload lists the unfinished uploads whose names have a prefix.
func (s *store) eachUpload(ctx context.Context, prefix string, yield func(u savedUpload, initiated time.Time)) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix}
	for {
		out, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return err
		}
		for _, u := range out.Uploads {
			yield(savedUpload{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId)}, aws.ToTime(u.Initiated))
		}
		if !aws.ToBool(out.IsTruncated) || out.NextKeyMarker == nil {
			return nil
		}
		if aws.ToString(out.NextKeyMarker) == aws.ToString(in.KeyMarker) && aws.ToString(out.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker) {
			return errors.New("the list of uploads has no end") // I5
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

// eachObject lists the names of objects that have a prefix.
func (s *store) eachObject(ctx context.Context, prefix string, yield func(key string)) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix},
		func(o *s3.ListObjectsV2PaginatorOptions) { o.StopOnDuplicateToken = true }) // I5
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			yield(aws.ToString(o.Key))
		}
	}
	return nil
}

// completeUpload makes the object of the parts; with create it must not be there. again says that there may have been an attempt before, of this task or
// of another owner of the partition, and then its result counts: the object carries our attempt. A server's yes to a repetition is not enough. versitygw
// gives it while the attempt before is still at work, which may come to nothing.
func (s *store) completeUpload(ctx context.Context, u *upload, create, again bool) error {
	parts := make([]types.CompletedPart, len(u.parts))
	for i, p := range u.parts {
		parts[i] = types.CompletedPart{ETag: &p.etag, PartNumber: &p.number}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          &s.bucket,
		Key:             &u.key,
		UploadId:        &u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = s.customerKey()
	if create {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := s.client.CompleteMultipartUpload(ctx, in)
	switch {
	case err == nil && !again && aws.ToString(out.ETag) != "": // an answer that ends behind the status has none
		return nil
	case err != nil && errorCode(err) != noSuchUpload && !existing(err):
		return err
	}
	return s.madeBy(ctx, u, err)
}

// madeBy looks whether the object is that of the upload, of which the answer to its completion says too little.
func (s *store) madeBy(ctx context.Context, u *upload, answer error) error {
	ask := &s3.HeadObjectInput{Bucket: &s.bucket, Key: &u.key}
	ask.SSECustomerAlgorithm, ask.SSECustomerKey, ask.SSECustomerKeyMD5 = s.customerKey()
	head, err := s.client.HeadObject(ctx, ask)
	switch {
	case err == nil && head.Metadata[attemptKey] == u.attempt:
		return s.dropRest(ctx, u, answer)
	case err != nil && transient(err):
		return err
	case answer == nil && err == nil:
		return errForeign
	case answer == nil && statusCode(err) == http.StatusNotFound:
		return errNotMade
	}
	return answer // a yes too, where we may not look
}

// dropRest takes away what a server that died has left of an upload whose object is there.
func (s *store) dropRest(ctx context.Context, u *upload, answer error) error {
	if !existing(answer) {
		return nil
	}
	if err := s.abortUpload(ctx, u); err != nil && transient(err) {
		return err
	}
	return nil
}

// abortUpload takes the upload and its parts away. One that is gone is fine.
func (s *store) abortUpload(ctx context.Context, u *upload) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &s.bucket, Key: &u.key, UploadId: &u.id})
	if errorCode(err) == noSuchUpload {
		return nil
	}
	return err
}

// deleteObject removes an object, which need not be there.
func (s *store) deleteObject(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	return err
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

package s3

import (
	"bytes"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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
	return err
}

func (s *store) putObject(ctx context.Context, key string, body []byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &s.bucket,
		Key:                  &key,
		Body:                 bytes.NewReader(body),
		ContentLength:        aws.Int64(int64(len(body))),
		ACL:                  types.ObjectCannedACL(s.config.cannedACL),
		ServerSideEncryption: types.ServerSideEncryption(s.config.sseName),
		SSEKMSKeyId:          optional(s.config.sseKMSKeyID),
	})
	return err
}

func (s *store) createUpload(ctx context.Context, u *upload) (string, error) {
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:               &s.bucket,
		Key:                  &u.key,
		Metadata:             map[string]string{attemptKey: u.attempt},
		ACL:                  types.ObjectCannedACL(s.config.cannedACL),
		ServerSideEncryption: types.ServerSideEncryption(s.config.sseName),
		SSEKMSKeyId:          optional(s.config.sseKMSKeyID),
	})
	if err != nil {
		return "", err
	}
	if aws.ToString(out.UploadId) == "" {
		return "", errors.New("the answer has no upload id")
	}
	return *out.UploadId, nil
}

func (s *store) uploadPart(ctx context.Context, u *upload, number int32, body []byte) (etag string, err error) {
	out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:        &s.bucket,
		Key:           &u.key,
		UploadId:      &u.id,
		PartNumber:    &number,
		Body:          bytes.NewReader(body),
		ContentLength: aws.Int64(int64(len(body))),
	})
	if err != nil {
		return "", err
	}
	if aws.ToString(out.ETag) == "" {
		return "", errors.New("the answer has no ETag")
	}
	return *out.ETag, nil
}

// completeUpload makes the object of the parts; with create it must not be there.
// When the upload is gone or the object is there, an earlier attempt whose answer
// was lost may have done it, or another owner of the partition: the object then
// carries our attempt.
func (s *store) completeUpload(ctx context.Context, u *upload, create bool) error {
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
	if create {
		in.IfNoneMatch = aws.String("*")
	}
	_, err := s.client.CompleteMultipartUpload(ctx, in)
	if err == nil || errorCode(err) != noSuchUpload && !existing(err) {
		return err
	}
	head, headErr := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &u.key})
	switch {
	case headErr == nil && head.Metadata[attemptKey] == u.attempt:
		return nil
	case headErr != nil && transient(headErr):
		return headErr
	}
	return err
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

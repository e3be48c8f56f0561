package services

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The key is no secret: the server listens on loopback and holds test data.
const (
	s3Key    = "millracetest"
	s3Secret = "millracetestsecret"
)

// versityServer is the default: Apache-2.0, maintained, keeps objects as files in a folder.
func versityServer() server {
	return server{
		name: VersityGW, pkg: "github.com/versity/versitygw/cmd/versitygw", version: "v1.8.0", binary: "versitygw",
		variable: "MILLRACE_TEST_S3",
		args: func(dir string, port int) (args, env []string, err error) {
			data, meta := filepath.Join(dir, "data"), filepath.Join(dir, "meta")
			for _, d := range []string{data, meta} {
				if err := os.MkdirAll(d, 0o755); err != nil {
					return nil, nil, err
				}
			}
			// Metadata in files beside the objects: not every file system has extended attributes.
			return []string{"--quiet", "--port", fmt.Sprintf("127.0.0.1:%d", port), "posix", "--sidecar", meta, data},
				[]string{"ROOT_ACCESS_KEY=" + s3Key, "ROOT_SECRET_KEY=" + s3Secret}, nil
		},
		ready: createBucket,
	}
}

// minioServer is for checking against a second implementation. Its project is archived, and its licence is the
// AGPL: it is built from its module and run as a process of its own, never linked.
func minioServer() server {
	return server{
		name: MinIO, pkg: "github.com/minio/minio", version: "v0.0.0-20260212201848-7aac2a2c5b7c", binary: "minio",
		variable: "MILLRACE_TEST_S3",
		args: func(dir string, port int) (args, env []string, err error) {
			return []string{"server", "--quiet", "--address", fmt.Sprintf("127.0.0.1:%d", port), "--console-address", "127.0.0.1:0", filepath.Join(dir, "data")},
				[]string{"MINIO_ROOT_USER=" + s3Key, "MINIO_ROOT_PASSWORD=" + s3Secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off"}, nil
		},
		ready: createBucket,
	}
}

func createBucket(ctx context.Context, port int) (string, error) {
	host := fmt.Sprintf("127.0.0.1:%d", port)
	client, err := minio.New(host, &minio.Options{
		Creds:      credentials.NewStaticV4(s3Key, s3Secret, ""),
		Region:     "us-east-1",
		MaxRetries: 1,
	})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ok, err := client.BucketExists(ctx, bucketName)
	if err == nil && !ok {
		err = client.MakeBucket(ctx, bucketName, minio.MakeBucketOptions{})
	}
	return fmt.Sprintf("s3://%s:%s@%s/%s", s3Key, s3Secret, host, bucketName), err
}

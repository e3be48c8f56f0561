package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Config is where a bucket is.
type S3Config struct {
	Endpoint  string // host or host:port
	Bucket    string
	Prefix    string // before every key, without slashes at its ends; "" for none
	Region    string // "" means us-east-1
	TLS       bool
	AccessKey string // "" means: from the environment
	Secret    string
}

// ParseS3 reads an address of the form s3://KEY:SECRET@host:port/bucket/prefix?region=R&tls=true.
func ParseS3(address string) (S3Config, error) {
	var c S3Config
	u, err := url.Parse(address)
	if err != nil || strings.Contains(u.Host+u.Path, "@") {
		// The error of url.Parse quotes the address, and with it the secret. One with an unescaped
		// / is taken for host and path.
		return c, errors.New("open bucket: the address is not a URL; percent-encode / : @ ? # in key and secret")
	}
	bad := func(format string, args ...any) (S3Config, error) {
		if u.Opaque != "" || u.Host == "" { // "s3:KEY:SECRET@host/bucket"
			return c, fmt.Errorf("open bucket: %s", fmt.Sprintf(format, args...))
		}
		return c, fmt.Errorf("open bucket %s: %s", (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), fmt.Sprintf(format, args...))
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if u.Scheme != "s3" || u.Hostname() == "" || bucket == "" {
		return bad("want s3://KEY:SECRET@host:port/bucket/prefix")
	}
	c = S3Config{Endpoint: u.Host, Bucket: bucket, Prefix: prefix, Region: "us-east-1", TLS: !loopback(u.Hostname())}
	if prefix != "" {
		if err := ValidKey(prefix); err != nil {
			return bad("prefix: %v", err)
		}
	}
	c.AccessKey = u.User.Username()
	c.Secret, _ = u.User.Password()
	if (c.AccessKey == "") != (c.Secret == "") {
		return bad("key and secret go together")
	}
	for name, values := range u.Query() {
		switch name {
		case "region":
			c.Region = values[0]
		case "tls":
			if c.TLS, err = strconv.ParseBool(values[0]); err != nil {
				return bad("tls=%q: want true or false", values[0])
			}
		default:
			return bad("unknown setting %q: want region or tls", name)
		}
	}
	return c, nil
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// S3 is a Store in a bucket of a server that speaks S3.
type S3 struct {
	client *minio.Client
	cfg    S3Config
}

var _ Store = (*S3)(nil)

// OpenS3 makes a store of a bucket that exists. It makes no request; see Check.
func OpenS3(cfg S3Config) (*S3, error) {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	creds := credentials.NewStaticV4(cfg.AccessKey, cfg.Secret, "")
	if cfg.AccessKey == "" {
		creds = credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.EnvMinio{}})
	}
	client, err := minio.New(cfg.Endpoint, &minio.Options{
		Creds:  creds,
		Secure: cfg.TLS,
		Region: cfg.Region, // given, so that no request is spent on asking for it
		// Retrying is the caller's: it holds a commit meanwhile and counts the failures. One repeat
		// covers a kept-alive connection that the server has closed.
		MaxRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket %q at %s: %w", cfg.Bucket, cfg.Endpoint, err)
	}
	cfg.Secret = ""
	return &S3{client: client, cfg: cfg}, nil
}

func (s *S3) String() string {
	return fmt.Sprintf("bucket %q at %s", s.cfg.Bucket, s.cfg.Endpoint)
}

func (s *S3) name(key string) string {
	if s.cfg.Prefix == "" {
		return key
	}
	return s.cfg.Prefix + "/" + key
}

// requestTimeout bounds one request, so that a server that hangs is a failure that can be retried.
const requestTimeout = 2 * time.Minute

// Put sends the object in one request: S3 makes it visible as a whole or not at all.
func (s *S3) Put(ctx context.Context, key string, body []byte) error {
	if err := ValidKey(key); err != nil {
		return s.wrap("put", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := s.client.PutObject(ctx, s.cfg.Bucket, s.name(key), bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		ContentType:      "application/octet-stream",
		DisableMultipart: true,
		// MD5 is the one check that every server knows; the newer checksums are refused by some.
		SendContentMd5: true,
	})
	return s.wrap("put", key, err)
}

// Get reads a whole object in one request.
func (s *S3) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ValidKey(key); err != nil {
		return nil, s.wrap("get", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	obj, err := s.client.GetObject(ctx, s.cfg.Bucket, s.name(key), minio.GetObjectOptions{})
	if err != nil {
		return nil, s.wrap("get", key, err)
	}
	body, err := io.ReadAll(obj)
	return body, s.wrap("get", key, errors.Join(err, obj.Close()))
}

// Open requests the object's size; each ReadAt is then a request for a range.
func (s *S3) Open(ctx context.Context, key string) (Object, error) {
	if err := ValidKey(key); err != nil {
		return nil, s.wrap("open", key, err)
	}
	info, err := s.client.StatObject(ctx, s.cfg.Bucket, s.name(key), minio.StatObjectOptions{})
	if err != nil {
		return nil, s.wrap("open", key, err)
	}
	return &s3Object{s: s, ctx: ctx, key: key, etag: info.ETag, size: info.Size}, nil
}

type s3Object struct {
	s    *S3
	ctx  context.Context
	key  string
	etag string
	size int64
}

func (o *s3Object) Size() int64  { return o.size }
func (o *s3Object) Close() error { return nil }

// ReadAt reads a range of the version that was opened; if the object was replaced meanwhile it
// fails.
func (o *s3Object) ReadAt(p []byte, pos int64) (int, error) {
	switch {
	case pos < 0:
		return 0, o.s.wrap("read", o.key, fmt.Errorf("negative position %d", pos))
	case len(p) == 0:
		return 0, nil
	case pos >= o.size:
		return 0, io.EOF
	}
	end := min(pos+int64(len(p)), o.size)
	var opts minio.GetObjectOptions
	if err := errors.Join(opts.SetRange(pos, end-1), opts.SetMatchETag(o.etag)); err != nil {
		return 0, o.s.wrap("read", o.key, err)
	}
	ctx, cancel := context.WithTimeout(o.ctx, requestTimeout)
	defer cancel()
	body, _, _, err := minio.Core{Client: o.s.client}.GetObject(ctx, o.s.cfg.Bucket, o.s.name(o.key), opts)
	if err != nil {
		return 0, o.s.wrap("read", o.key, err)
	}
	n, err := io.ReadFull(body, p[:end-pos])
	err = errors.Join(err, body.Close())
	if err == nil && n < len(p) {
		return n, io.EOF
	}
	return n, o.s.wrap("read", o.key, err)
}

// Delete removes an object.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := ValidKey(key); err != nil {
		return s.wrap("delete", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := s.client.RemoveObject(ctx, s.cfg.Bucket, s.name(key), minio.RemoveObjectOptions{})
	if err = s.wrap("delete", key, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List pages through the bucket.
func (s *S3) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		opts := minio.ListObjectsOptions{Prefix: s.name(prefix), Recursive: true}
		if after != "" {
			opts.StartAfter = s.name(after)
		}
		for obj := range s.client.ListObjectsIter(ctx, s.cfg.Bucket, opts) {
			if obj.Err != nil {
				yield(Info{}, s.wrap("list", prefix, obj.Err))
				return
			}
			key := strings.TrimPrefix(obj.Key, s.name(""))
			// The comparison is not trusted to the server, and other programs' objects are not
			// ours.
			if key <= after || ValidKey(key) != nil {
				continue
			}
			if !yield(Info{Key: key, Size: obj.Size}, nil) {
				return
			}
		}
	}
}

// Check requests the bucket.
func (s *S3) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for _, err := range s.List(ctx, "", "") {
		if err != nil {
			return err
		}
		break
	}
	return nil
}

// wrap turns the library's error into one that names what to do about it.
func (s *S3) wrap(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	var resp minio.ErrorResponse
	if errors.As(err, &resp) {
		switch {
		case resp.Code == minio.NoSuchBucket:
			err = fmt.Errorf("the bucket does not exist: create it, or correct its name: %w", err)
		case resp.Code == minio.NoSuchKey || resp.Code == "NotFound":
			err = ErrNotFound
		// Some servers have codes of their own for a key they do not know, such as
		// XAdminUserNotFound.
		case resp.Code == "InvalidAccessKeyId" || resp.Code == "SignatureDoesNotMatch" || strings.HasSuffix(resp.Code, "UserNotFound"):
			err = fmt.Errorf("the server refuses the credentials: check key and secret: %w", err)
		case resp.Code == minio.AccessDenied || resp.StatusCode == 403:
			err = fmt.Errorf("access denied: the credentials do not allow this: %w", err)
		}
	}
	var netErr *net.OpError
	if errors.As(err, &netErr) && netErr.Op == "dial" {
		err = fmt.Errorf("the server can't be reached: %w", err)
	}
	return fmt.Errorf("%s %q in %s: %w", verb, key, s, err)
}

package blob

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"millrace/internal/certs"
)

// S3 is a Store in a bucket of a server that speaks S3.
type S3 struct {
	client *minio.Client
	cfg    S3Config // without the secret

	// For lists, which the library can't make as they are needed, see listPage.
	http    *http.Client
	creds   *credentials.Credentials
	noToken atomic.Bool // the server's continuation tokens don't work
}

var _ Store = (*S3)(nil)

// OpenS3 makes a store of a bucket that exists. It makes no request; see Check.
func OpenS3(cfg S3Config) (*S3, error) {
	base, err := minio.DefaultTransport(cfg.TLS)
	trust := func(t *http.Transport) http.RoundTripper { return t }
	if err == nil && cfg.CA != "" {
		var authorities *certs.Authorities
		if authorities, err = certs.OpenAuthorities(cfg.CA); err == nil {
			trust = authorities.Transport
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %q at %s: %w", cfg.Bucket, cfg.Endpoint, err)
	}
	cfg.Region = cfg.region()
	transport := trust(base)
	s := &S3{cfg: cfg, http: &http.Client{Transport: transport}, creds: cfg.credentials(trust)}
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client, err = minio.New(cfg.Endpoint, &minio.Options{
		Creds:        s.creds,
		Secure:       cfg.TLS,
		Transport:    transport,
		Region:       cfg.Region, // given, so that no request is spent on asking for it
		BucketLookup: cfg.lookup(),
		// Retrying is the caller's: it holds a commit meanwhile and counts the failures. One repeat
		// covers a kept-alive connection that the server has closed.
		MaxRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket %q at %s: %w", cfg.Bucket, cfg.Endpoint, err)
	}
	s.cfg.Secret = ""
	return s, nil
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
		err = s.explain(&resp, err)
	}
	var netErr *net.OpError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &netErr) && netErr.Op == "dial":
		err = fmt.Errorf("the server can't be reached: %w", err)
	case errors.As(err, &unknown):
		err = fmt.Errorf("the server's certificate is of an authority that is not trusted: give its PEM file with ca=FILE in the address: %w", err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		err = fmt.Errorf("the server does not speak TLS: write tls=false in the address, or correct the port: %w", err)
	case !s.cfg.TLS && (isCutOff(err) || strings.Contains(err.Error(), "malformed HTTP response")):
		err = fmt.Errorf("the server ended the connection; if it speaks TLS, write tls=true in the address: %w", err)
	}
	return fmt.Errorf("%s %q in %s: %w", verb, key, s, err)
}

// isCutOff reports an error that means that the server ended the connection in the midst of a request, as it does
// where it wants TLS. Which one it is depends on how far the request had come.
func isCutOff(err error) bool {
	for _, end := range []error{syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// explain adds the remedy to an answer of the server. Credentials that it does not take are found
// anew before the next request.
func (s *S3) explain(resp *minio.ErrorResponse, err error) error {
	text := strings.ToLower(resp.Message)
	switch code := resp.Code; {
	case code == minio.NoSuchBucket:
		return fmt.Errorf("the bucket does not exist: create it, or correct its name: %w", err)
	case code == minio.NoSuchKey || code == "NotFound":
		return ErrNotFound
	case resp.StatusCode == http.StatusBadRequest && !s.cfg.TLS && strings.Contains(text, "https"):
		return fmt.Errorf("the server speaks TLS: write tls=true in the address: %w", err)
	case code == minio.AuthorizationHeaderMalformed && strings.Contains(text, "region"), code == "InvalidRegion":
		return fmt.Errorf("the server is of another region than %q: write region=… in the address: %w", s.cfg.Region, err)
	case code == "RequestTimeTooSkewed":
		return fmt.Errorf("the clock of this machine, or that of the server, is wrong: %w", err)
	case code == "ExpiredToken" || code == "InvalidToken":
		s.creds.Expire()
		return fmt.Errorf("the server refuses the session token, which has expired or is another server's: %w", err)
	}
	if resp.StatusCode == http.StatusForbidden || resp.Code == minio.AccessDenied {
		if v, found := s.creds.GetWithContext(nil); found == nil && v.SignerType.IsAnonymous() {
			return fmt.Errorf("access denied, and no credentials were found: give them in the address (s3://KEY:SECRET@…), "+
				"by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or by credentials=FILE in the address: %w", err)
		}
	}
	switch code := resp.Code; {
	// Some servers have codes of their own for a key they do not know, such as XAdminUserNotFound.
	case code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" || strings.HasSuffix(code, "UserNotFound"):
		s.creds.Expire()
		return fmt.Errorf("the server refuses the credentials: check key and secret: %w", err)
	case code == minio.AccessDenied || resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("access denied: the credentials do not allow this: %w", err)
	}
	return err
}

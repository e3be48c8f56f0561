package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// ErrListing is wrapped by the error for a server whose lists are wrong: not in the order of the
// keys, without end, or of groups where objects were asked for. An archive that is not seen whole
// looks like one with less in it, so that nothing may be read from there, or written.
var ErrListing = errors.New("this server does not list objects as S3 does: use another one")

// page is an answer to one request of a list.
type page struct {
	Contents []struct {
		Key  string
		Size int64
	}
	CommonPrefixes        []struct{ Prefix string }
	IsTruncated           bool
	NextContinuationToken string
	EncodingType          string
}

// List pages through the bucket.
func (s *S3) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return s.list(ctx, prefix, after, 0)
}

// list is List in pages of so many objects; 0 is as many as the server gives, which is 1,000.
//
// A page is asked for by the token of the one before. Some servers refuse that, or give the same
// page again: then it is asked for by the last key, once, and from then on for all lists.
func (s *S3) list(ctx context.Context, prefix, after string, size int) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		fail := func(err error) { yield(Info{}, s.wrap("list", prefix, err)) }
		l := lister{root: s.name(""), prefix: s.name(prefix), size: size}
		if after != "" {
			l.last, l.given = s.name(after), s.name(after)
		}
		for {
			p, err := s.listPage(ctx, &l)
			if err == nil {
				err = l.check(p, s.noToken.Load())
			}
			if err != nil && l.token != "" && ctx.Err() == nil && tokenRefused(err) {
				s.noToken.Store(true)
				l.token = ""
				continue
			}
			if err != nil {
				fail(err)
				return
			}
			l.token = ""
			if p.IsTruncated && !s.noToken.Load() {
				l.token = p.NextContinuationToken
			}
			for _, o := range p.Contents {
				// The comparison is not trusted to the server, and other programs' objects are not
				// ours.
				fresh := o.Key > l.last
				l.last = max(l.last, o.Key)
				key := strings.TrimPrefix(o.Key, l.root)
				if !fresh || ValidKey(key) != nil {
					continue
				}
				if !yield(Info{Key: key, Size: o.Size}, nil) {
					return
				}
			}
			if !p.IsTruncated {
				return
			}
		}
	}
}

// lister is how far a list has come.
type lister struct {
	root   string // before all keys of the store
	prefix string // of the keys that are listed, with root
	size   int
	given  string // the key that the list begins after, "" for none
	last   string // the greatest key so far
	token  string // of the next page; "" asks by last
	idle   int    // pages in a row that had no greater key
}

// mostIdle is how many pages without a new key a server may give, since it may count what was
// deleted, or ignore the key to begin after.
const mostIdle = 1000

// check returns what is wrong with a page. The order of keys that no archive has is the server's
// affair: some sort them by characters and not by bytes. ByKey is that tokens are not used.
func (l *lister) check(p *page, byKey bool) error {
	if len(p.CommonPrefixes) > 0 {
		return fmt.Errorf("%w; it groups the keys at %q, and was asked for objects", ErrListing, p.CommonPrefixes[0].Prefix)
	}
	before, fresh := "", false
	for _, o := range p.Contents {
		fresh = fresh || o.Key > l.last
		switch {
		case !strings.HasPrefix(o.Key, l.prefix):
			return fmt.Errorf("%w; asked for %q it lists %q", ErrListing, l.prefix, o.Key)
		case ValidKey(strings.TrimPrefix(o.Key, l.root)) != nil:
			continue
		case o.Key <= before:
			return fmt.Errorf("%w; it lists %q behind %q", ErrListing, o.Key, before)
		case l.token != "" && l.last > l.given && o.Key <= l.last:
			return fmt.Errorf("%w; it repeats a page: %q comes again behind %q", ErrListing, o.Key, l.last)
		}
		before = o.Key
	}
	l.idle++
	if fresh {
		l.idle = 0
	}
	switch token := p.NextContinuationToken; {
	case !p.IsTruncated:
		return nil
	case byKey && !fresh:
		return fmt.Errorf("%w; there is more behind %q, and it does not go on from there", ErrListing, l.last)
	case !byKey && (token == "" || token == l.token), l.idle > mostIdle:
		return fmt.Errorf("%w; there is more behind %q, and its continuation token leads to no other page", ErrListing, l.last)
	}
	return nil
}

// tokenRefused reports whether an answer may be better when the page is asked for by its key.
func tokenRefused(err error) bool {
	var resp minio.ErrorResponse
	if !errors.As(err, &resp) {
		return errors.Is(err, ErrListing)
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusInternalServerError, http.StatusNotImplemented:
		return true
	}
	return false
}

// mostList bounds an answer: a thousand keys of a thousand bytes, percent-encoded.
const mostList = 16 << 20

// listPage requests a page. The library's own list sends an empty delimiter, which some servers take
// for one, and the first key together with the token, which others refuse; it does not end where a
// server repeats itself. An answer of a server that is in trouble is asked for once more.
func (s *S3) listPage(ctx context.Context, l *lister) (*page, error) {
	query := url.Values{"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {l.prefix}}
	switch {
	case l.token != "":
		query.Set("continuation-token", l.token)
	case l.last != "":
		query.Set("start-after", l.last)
	}
	if l.size > 0 {
		query.Set("max-keys", strconv.Itoa(l.size))
	}
	p, err := s.requestPage(ctx, query)
	var resp minio.ErrorResponse
	if err == nil || ctx.Err() != nil || errors.As(err, &resp) && resp.StatusCode < http.StatusInternalServerError {
		return p, err
	}
	select {
	case <-time.After(listPause):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.requestPage(ctx, query)
}

// listPause is what a server in trouble is left alone for.
const listPause = 200 * time.Millisecond

var emptySum = hex.EncodeToString(sha256.New().Sum(nil))

func (s *S3) requestPage(ctx context.Context, query url.Values) (*page, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	u := s.cfg.bucketURL()
	u.RawQuery = s3utils.QueryEncode(query)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	v, err := s.creds.GetWithContext(&credentials.CredContext{Context: ctx, Client: s.http, Endpoint: s.client.EndpointURL().String()})
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Amz-Content-Sha256", emptySum)
	if !v.SignerType.IsAnonymous() {
		req = signer.SignV4(*req, v.AccessKeyID, v.SecretAccessKey, v.SessionToken, s.cfg.Region)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		var wrapped *url.Error // has the query, which is long and of no use
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostList))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp, body)
	}
	var p page
	if err := xml.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("%w; the answer is no list: %w", ErrListing, err)
	}
	return &p, p.decode()
}

// refusal returns an answer that is no list, with the words of the server.
func refusal(resp *http.Response, body []byte) error {
	e := minio.ErrorResponse{StatusCode: resp.StatusCode}
	if xml.Unmarshal(body, &e) != nil || e.Message == "" && e.Code == "" {
		e.Message = resp.Status + ": " + strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")), " ")
	}
	e.StatusCode = resp.StatusCode
	e.Message = strings.TrimSpace(e.Code + " " + e.Message)
	return e
}

// decode undoes the encoding of the keys, if the server says that it has encoded them.
func (p *page) decode() error {
	if p.EncodingType != "url" {
		return nil
	}
	for i := range p.Contents {
		key, err := url.QueryUnescape(p.Contents[i].Key)
		if err != nil {
			return fmt.Errorf("%w; the key %q is not encoded as it says", ErrListing, p.Contents[i].Key)
		}
		p.Contents[i].Key = key
	}
	return nil
}

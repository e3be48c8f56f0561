package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"
)

// ErrNotFound is wrapped by the error of an operation on an object that does not exist.
var ErrNotFound = errors.New("object does not exist")

// ErrKey is wrapped by the error for a key that ValidKey refuses.
var ErrKey = errors.New("invalid object key")

// Info is an object in a listing.
type Info struct {
	Key  string
	Size int64 // bytes
}

// Object is an open object. ReadAt follows io.ReaderAt; on S3 each call is one request, so read in
// large pieces. Close it after use.
type Object interface {
	io.ReaderAt
	io.Closer
	// Size is the object's length in bytes when it was opened.
	Size() int64
}

// Store is an object store. See the package comment for what all implementations promise.
type Store interface {
	// Put stores body under key, replacing an object that is there. The body is not kept.
	Put(ctx context.Context, key string, body []byte) error
	// Get returns a whole object, or an error that wraps ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Open opens an object for reading ranges, or returns an error that wraps ErrNotFound. ctx
	// bounds the object's reads too.
	Open(ctx context.Context, key string) (Object, error)
	// List yields the objects whose key starts with prefix and is greater than after, in byte
	// order. It stops after the first error. Objects put or deleted while it runs may or may not be
	// seen.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	// Delete removes an object. It is nil if there is none.
	Delete(ctx context.Context, key string) error
	// Check reports whether the store answers and may be listed, with a message fit for an
	// operator. Open does not call it: a store that is down for now is no reason not to start.
	Check(ctx context.Context) error
	// String names the store without its secrets.
	String() string
}

// Open returns the store at an address; the package comment has the forms. A folder is created if
// it is not there; a bucket is not, and is not contacted before the first use.
func Open(address string) (Store, error) {
	if path, err := FolderOf(address); path != "" || err != nil {
		if err != nil {
			return nil, err
		}
		return OpenFolder(path)
	}
	cfg, err := ParseS3(address)
	if err != nil {
		return nil, err
	}
	return OpenS3(cfg)
}

// FolderOf returns the path of the folder that an address names, "" if it names a bucket, and an
// error if it is no address. A relative folder with a colon in its first part has to begin with
// "./": without it, host:9000/bucket is more likely a bucket whose s3:// was forgotten.
func FolderOf(address string) (string, error) {
	switch scheme, rest, found := strings.Cut(address, "://"); {
	case address == "":
		return "", errors.New("open object store: the address is empty")
	case !found:
		if first, _, _ := strings.Cut(address, "/"); strings.Contains(first, ":") {
			return "", errors.New("open object store: the address has a colon, but begins with neither s3:// nor file://; a folder with one in its name is written ./NAME")
		}
		return address, nil
	case scheme == "file":
		path, err := url.PathUnescape(rest)
		if err != nil || !strings.HasPrefix(path, "/") {
			return "", fmt.Errorf("open object store %q: want file:///absolute/path", address)
		}
		return path, nil
	case scheme == "s3":
		return "", nil
	default:
		return "", fmt.Errorf("open object store: unknown scheme %q: want s3://, file:// or a folder", scheme)
	}
}

// MaxKeyLen is the longest key in bytes, less than S3's 1024 to leave space for a prefix.
const MaxKeyLen = 512

// ValidKey returns an error wrapping ErrKey unless key is a relative path of parts joined by single
// slashes, where no part is empty or starts with a dot, and each character is one of A-Z a-z 0-9 .
// _ = -. Such a key means the same to every store and file system.
func ValidKey(key string) error {
	if key == "" || len(key) > MaxKeyLen {
		return fmt.Errorf("%w: it has %d bytes, want 1 to %d", ErrKey, len(key), MaxKeyLen)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("%w %q: a part is empty or starts with a dot", ErrKey, key)
		}
		for i := 0; i < len(part); i++ {
			if !keyByte(part[i]) {
				return fmt.Errorf("%w %q: character %q", ErrKey, key, part[i])
			}
		}
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '_' || c == '=' || c == '-'
}

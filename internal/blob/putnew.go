package blob

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/minio/minio-go/v7"

	"millrace/internal/atomicfile"
)

// newPutter is a Store that can put an object only if there is none of its name.
type newPutter interface {
	putNew(ctx context.Context, key string, body []byte) (put bool, err error)
}

// PutNew stores body under key unless there is an object, and reports whether it did. After an error that is not known.
//
// In a folder, and on a server that knows the condition, one of several that put an object at once does. A server that does not know it
// may let several believe so, of which the last is right: who needs to know reads the object back, later.
func PutNew(ctx context.Context, s Store, key string, body []byte) (put bool, err error) {
	if p, ok := s.(newPutter); ok {
		return p.putNew(ctx, key, body)
	}
	switch _, err := s.Get(ctx, key); {
	case err == nil:
		return false, nil
	case !errors.Is(err, ErrNotFound):
		return false, err
	}
	return true, s.Put(ctx, key, body)
}

func (f *Folder) putNew(ctx context.Context, key string, body []byte) (bool, error) {
	if err := f.begin(ctx, key); err != nil {
		return false, f.wrap("put", key, err)
	}
	tmp, err := f.writeTemp(body)
	if tmp != "" {
		defer os.Remove(tmp)
	}
	path := f.path(key)
	if err == nil {
		err = mkdirAll(filepath.Dir(path))
	}
	if err == nil {
		err = os.Link(tmp, path)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err == nil:
		err = atomicfile.SyncDir(filepath.Dir(path))
	case tmp != "" && !errors.Is(err, fs.ErrNotExist):
		// Some file systems have no links. There it is as good as it can be.
		if _, found := os.Lstat(path); found == nil {
			return false, nil
		}
		err = f.put(path, body)
	}
	return err == nil, f.wrap("put", key, err)
}

func (s *S3) putNew(ctx context.Context, key string, body []byte) (bool, error) {
	if err := ValidKey(key); err != nil {
		return false, s.wrap("put", key, err)
	}
	// Servers that don't know the condition pass it over.
	switch _, err := s.Get(ctx, key); {
	case err == nil:
		return false, nil
	case !errors.Is(err, ErrNotFound):
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true, SendContentMd5: true}
	o.SetMatchETagExcept("*")
	_, err := s.client.PutObject(ctx, s.cfg.Bucket, s.name(key), bytes.NewReader(body), int64(len(body)), o)
	var resp minio.ErrorResponse
	switch {
	case !errors.As(err, &resp):
	case resp.StatusCode == http.StatusPreconditionFailed, resp.StatusCode == http.StatusConflict:
		return false, nil
	case resp.StatusCode == http.StatusNotImplemented:
		return true, s.Put(ctx, key, body)
	}
	return err == nil, s.wrap("put", key, err)
}

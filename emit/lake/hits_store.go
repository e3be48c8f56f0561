package lake

import (
	"context"
	"errors"

	"millrace/internal/blob"
)

// patientStore repeats each request that fails until it is answered. A chain makes dozens of requests to be opened, and begins with the
// first of them again when one fails: where one in ten fails, it would hardly ever come to an end.
type patientStore struct {
	blob.Store
	a *Archiver
}

// Get implements blob.Store.
func (s patientStore) Get(ctx context.Context, key string) (body []byte, err error) {
	err = s.a.retry(ctx, key, func() (err error) {
		body, err = s.Store.Get(ctx, key)
		if errors.Is(err, blob.ErrNotFound) {
			return final(err)
		}
		return err
	})
	return body, err
}

// Put implements blob.Store.
func (s patientStore) Put(ctx context.Context, key string, body []byte) error {
	return s.a.retry(ctx, key, func() error { return s.Store.Put(ctx, key, body) })
}

// Open implements blob.Store.
func (s patientStore) Open(ctx context.Context, key string) (o blob.Object, err error) {
	err = s.a.retry(ctx, key, func() (err error) {
		o, err = s.Store.Open(ctx, key)
		if errors.Is(err, blob.ErrNotFound) {
			return final(err)
		}
		return err
	})
	return o, err
}

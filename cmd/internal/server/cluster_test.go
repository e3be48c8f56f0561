package server

import (
	"context"
	"errors"
	"testing"
)

// TestBounded: a function that ignores its context is not waited for.
func TestBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	release := make(chan struct{})
	defer close(release)
	if err := bounded(ctx, func() error { <-release; return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

//go:build !unix

package support

import "errors"

func disk(string) (size, free uint64, err error) { return 0, 0, errors.ErrUnsupported }

func limits() map[string]any { return nil }

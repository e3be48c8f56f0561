// Package oserror tells errors of the operating system apart, however they are wrapped.
package oserror

import (
	"errors"
	"os"
)

// Those of package os.
var (
	ErrInvalid    = os.ErrInvalid
	ErrPermission = os.ErrPermission
	ErrExist      = os.ErrExist
	ErrNotExist   = os.ErrNotExist
	ErrClosed     = os.ErrClosed
)

// IsPermission reports whether something may not be done.
func IsPermission(err error) bool { return errors.Is(err, ErrPermission) }

// IsExist reports whether something is there already.
func IsExist(err error) bool { return errors.Is(err, ErrExist) }

// IsNotExist reports whether something is not there.
func IsNotExist(err error) bool { return errors.Is(err, ErrNotExist) }

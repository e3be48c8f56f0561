// Package errors takes the place of github.com/cockroachdb/errors, with which Pebble makes its
// errors. That library sends errors over networks and to Sentry: it brings a client of Sentry and a
// second library of protocol buffers into every program, and took 7 s of processor of a first
// `go test ./...` to compile and vet, and links of what opens a file through Pebble's vfs took
// longer. go.mod puts this module in its place.
//
// It has what Pebble calls. The texts of errors, what they wrap and what they are marked as are the
// same; details, hints and second errors are shown by %+v, as they were. Errors have no stack, and
// two that were made apart are the same to Is only if one is the other, as to the standard library.
package errors

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/redact"
)

// New returns an error with a text.
func New(text string) error { return errors.New(text) }

// Newf returns an error with a text, which wraps what %w stands for.
func Newf(format string, args ...any) error {
	text, wrapped := redact.HelperForErrorf(format, args...)
	if wrapped == nil {
		return errors.New(text.StripMarkers())
	}
	return &withText{text.StripMarkers(), wrapped}
}

// Errorf is Newf.
func Errorf(format string, args ...any) error { return Newf(format, args...) }

// AssertionFailedf is Newf, for what should never be.
func AssertionFailedf(format string, args ...any) error { return Newf(format, args...) }

// Wrap puts a text before that of an error. Of nil it makes nil.
func Wrap(err error, text string) error {
	if err == nil || text == "" {
		return err
	}
	return &withText{text + ": " + err.Error(), err}
}

// Wrapf puts a text before that of an error. Of nil it makes nil.
func Wrapf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return Wrap(err, sprintf(format, args...))
}

// WithStack returns err.
func WithStack(err error) error { return err }

// WithDetailf adds a text that %+v shows. Of nil it makes nil.
func WithDetailf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &withMore{err, sprintf(format, args...)}
}

// WithHintf is WithDetailf.
func WithHintf(err error, format string, args ...any) error { return WithDetailf(err, format, args...) }

// WithSafeDetails is WithDetailf.
func WithSafeDetails(err error, format string, args ...any) error {
	return WithDetailf(err, format, args...)
}

// WithSecondaryError adds an error that %+v shows and that err is not. Of nil it makes nil.
func WithSecondaryError(err, second error) error {
	if err == nil || second == nil {
		return err
	}
	return &withMore{err, fmt.Sprintf("and: %+v", second)}
}

// CombineErrors returns that of the two that is not nil; of two it is the first with the second.
func CombineErrors(err, second error) error {
	if err == nil {
		return second
	}
	return WithSecondaryError(err, second)
}

// Mark returns an error with the text of err that is also what mark is. Of nil it makes nil.
func Mark(err, mark error) error {
	if err == nil {
		return nil
	}
	return &marked{err, mark}
}

// Is is that of the standard library.
func Is(err, target error) bool { return errors.Is(err, target) }

// As is that of the standard library.
func As(err error, target any) bool { return errors.As(err, target) }

// Join is that of the standard library.
func Join(errs ...error) error { return errors.Join(errs...) }

// UnwrapAll returns the innermost error.
func UnwrapAll(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// Safe says that a value may be shown wherever an error is.
func Safe(v any) redact.SafeValue { return redact.Safe(v) }

// sprintf formats as the library does: with package redact, whose marks are taken out again.
func sprintf(format string, args ...any) string {
	return redact.Sprintf(format, args...).StripMarkers()
}

// withText has a text of its own.
type withText struct {
	text string
	err  error
}

func (e *withText) Error() string                 { return e.text }
func (e *withText) Unwrap() error                 { return e.err }
func (e *withText) Format(s fmt.State, verb rune) { format(e, s, verb) }

// withMore has what only %+v shows.
type withMore struct {
	err  error
	more string
}

func (e *withMore) Error() string                 { return e.err.Error() }
func (e *withMore) Unwrap() error                 { return e.err }
func (e *withMore) Format(s fmt.State, verb rune) { format(e, s, verb) }

// marked is two errors, and reads as the first.
type marked struct{ err, mark error }

func (e *marked) Error() string                 { return e.err.Error() }
func (e *marked) Unwrap() error                 { return e.err }
func (e *marked) Is(target error) bool          { return errors.Is(e.mark, target) }
func (e *marked) Format(s fmt.State, verb rune) { format(e, s, verb) }

// format writes the text of an error, and with %+v what has been added to it, the last first.
func format(err error, s fmt.State, verb rune) {
	fmt.Fprintf(s, fmt.FormatString(plain{s}, verb), err.Error())
	if verb != 'v' || !s.Flag('+') {
		return
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if m, ok := err.(*withMore); ok {
			fmt.Fprintf(s, "\n%s", m.more)
		}
	}
}

// plain is a State without the flag +, which a text does not have.
type plain struct{ fmt.State }

func (p plain) Flag(c int) bool { return c != '+' && p.State.Flag(c) }

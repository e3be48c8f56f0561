package statsapi

import (
	"errors"
	"fmt"

	"millrace/query"
)

// Error is what a client is answered in place of rows.
type Error struct {
	Status  int // of HTTP
	Message string
}

func (e *Error) Error() string { return e.Message }

func errorf(status int, format string, args ...any) error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

func bad(format string, args ...any) error { return errorf(400, format, args...) }

// statusOf are the statuses of package query's errors.
var statusOf = map[query.Kind]int{query.Invalid: 400, query.Busy: 429, query.Unavailable: 503}

// asError makes an *Error of an error that package query has for the client, and leaves others.
func asError(err error) error {
	var e *query.Error
	if errors.As(err, &e) {
		return &Error{statusOf[e.Kind], e.Message}
	}
	return err
}

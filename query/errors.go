package query

import (
	"encoding/json"
	"fmt"
)

// Kind is what a client can do about an [Error].
type Kind uint8

// The kinds.
const (
	// Invalid: the query can't be answered as it is, however often it comes.
	Invalid Kind = iota
	// Busy: too many queries are at work; the same query can be answered in a moment.
	Busy
	// Unavailable: the store could not be read, or the query took too long.
	Unavailable
)

// Error is an error that is meant for the client. Any other error is an internal one, whose text is
// not.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

var errBusy = &Error{Busy, "Too many queries at once: try again in a moment."}

func invalid(format string, args ...any) error {
	return &Error{Invalid, fmt.Sprintf(format, args...)}
}

func unavailable(format string, args ...any) error {
	return &Error{Unavailable, fmt.Sprintf(format, args...)}
}

// Show returns a value as JSON for a message, shortened.
func Show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	const most = 120
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}

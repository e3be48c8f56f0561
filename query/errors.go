package query

import (
	"encoding/json"
	"fmt"
)

// Error is what the asker is told.
type Error struct {
	Status  int // of HTTP
	Message string
}

func (e *Error) Error() string { return e.Message }

var errBusy = &Error{429, "Too many queries at once: try again in a moment."}

func errorf(status int, format string, args ...any) error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

func bad(format string, args ...any) error { return errorf(400, format, args...) }

// show returns a JSON value as text for an error message, shortened.
func show(v any) string {
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

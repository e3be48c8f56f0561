package protocol

import (
	"fmt"
	"strconv"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
)

// Reason is why a request is refused: the label of millrace_ingest_requests_refused_total.
type Reason string

// The reasons there are.
const (
	ReasonInvalid  Reason = "invalid"  // 400: the body or a field of it
	ReasonEncoding Reason = "encoding" // 400: the content encoding
	ReasonSite     Reason = "site"     // 400: a site that is not configured
	ReasonTooLarge Reason = "too_large"
	ReasonMethod   Reason = "method"
	ReasonKey      Reason = "key"       // 401, 403: the write key
	ReasonRate     Reason = "rate"      // 429
	ReasonNewSites Reason = "new_sites" // 429: too many new sites
	ReasonQuota    Reason = "quota"     // 429: past the quota of the site
	ReasonCapacity Reason = "capacity"  // 503: out of memory for bodies and events
	ReasonClosing  Reason = "closing"   // 503: shutting down
	ReasonKafka    Reason = "kafka"     // 503: not acknowledged
	ReasonSpool    Reason = "spool"     // 503: not acknowledged, and the spool is full or fails
	ReasonSalt     Reason = "salt"      // 503: the collectors have not agreed on the day's salt
	ReasonBug      Reason = "bug"       // 500: a mistake in Millrace, which the log describes
)

// Reasons returns all of them.
func Reasons() []Reason {
	return []Reason{ReasonInvalid, ReasonEncoding, ReasonSite, ReasonTooLarge, ReasonMethod, ReasonKey,
		ReasonRate, ReasonNewSites, ReasonQuota, ReasonCapacity, ReasonClosing, ReasonKafka, ReasonSpool, ReasonSalt, ReasonBug}
}

// Refusal is why a request is answered otherwise than with 2xx.
type Refusal struct {
	// Status is of HTTP: 4xx for what will be refused again, 429 and 503 for what is to be sent
	// again.
	Status int
	// Reason is for metrics.
	Reason Reason
	// Path names the field that is wrong, "" for none; Msg describes what is wrong, in plain words.
	Path, Msg string
	// RetryAfter is after how many seconds the request is to be sent again, "" for never. The
	// collector makes a header of it.
	RetryAfter string
}

// BadRequest returns a Refusal of a request that is wrong.
func BadRequest(reason Reason, path, msg string) *Refusal {
	return &Refusal{Status: fasthttp.StatusBadRequest, Reason: reason, Path: path, Msg: msg}
}

// MaxDelay is how old the time of an event may be that a caller sends who is not trusted, and whose
// events have the time of their receipt: of an older one it would be wrong.
const MaxDelay = 24 * event.Hour

// NotTrusted returns the error of a field that only trusted callers may send.
func NotTrusted(path string) *FieldError {
	return BadField(path, "only trusted callers may send it: from the loopback interface, or with a write key in the header Authorization")
}

// Invalid makes a Refusal of an error of a Parser.
func Invalid(err error) *Refusal {
	if f, ok := err.(*FieldError); ok {
		return BadRequest(ReasonInvalid, f.Path, f.Msg)
	}
	return BadRequest(ReasonInvalid, "", err.Error())
}

// FieldError is what is wrong with which field.
type FieldError struct{ Path, Msg string }

func (e *FieldError) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

// BadField returns a FieldError.
func BadField(path, format string, args ...any) *FieldError {
	return &FieldError{path, fmt.Sprintf(format, args...)}
}

// InputPath names a field of the i-th of the inputs of a request.
func InputPath(inputs []Input, i int, field string) string {
	if len(inputs) == 1 {
		return field
	}
	return "events[" + strconv.Itoa(i) + "]." + field
}

package influx

import (
	"errors"
	"net/http"

	"millrace/internal/influxdb"
)

// failure is what is to be done about an error of a request.
type failure int

const (
	// retryable: the server is down, overloaded, or did not answer in time; the request may have
	// taken effect.
	retryable failure = iota
	// throttled: the server wants a pause.
	throttled
	// misconfigured: address, database, password or rights are wrong. The data is good, so it is
	// held until an operator has repaired it.
	misconfigured
	// tooLarge: a smaller request may pass.
	tooLarge
	// rejected: at least one point is refused for good; others may have been written.
	rejected
)

func (f failure) String() string {
	return [...]string{"unavailable", "throttled", "misconfigured", "too large", "rejected"}[f]
}

// sort returns what kind of failure err is.
//
// 400 is a malformed line, a field of another type than before ("partial write"), or a point older
// than the retention policy; 422 is 2.x's status of the last two. A 400 that complains about the
// database is about the address and not about the points.
func sort(err error) failure {
	var e *influxdb.StatusError
	if !errors.As(err, &e) {
		return retryable
	}
	if influxdb.NoDatabase(err) {
		return misconfigured
	}
	switch e.Code {
	case http.StatusOK: // the error came in the body of a query's answer
		return retryable
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return rejected
	case http.StatusRequestEntityTooLarge:
		return tooLarge
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return throttled
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return retryable
	}
	if e.Code >= 500 {
		return retryable
	}
	return misconfigured
}

// sortRead is sort for a query: its text is ours, so that a refusal is a matter of set-up.
func sortRead(err error) failure {
	if f := sort(err); f != rejected && f != tooLarge {
		return f
	}
	return misconfigured
}

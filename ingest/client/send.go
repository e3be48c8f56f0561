package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// requestTimeout is how long an answer is waited for. A collector waits for Kafka for 10 s.
	requestTimeout = 30 * time.Second
	// mostAnswer is how much of an answer is read, and mostReason how much of one that is no JSON is
	// a reason, in bytes.
	mostAnswer = 64 << 10
	mostReason = 200
	// mostRetryAfter is the longest pause that is obeyed. It is the longest that a collector asks for.
	mostRetryAfter = time.Hour
)

// Refusal is why a collector will never take events.
type Refusal struct {
	Status int    // of HTTP
	Reason string // what the collector says, such as "url: is 4097 bytes long, at most 4096 are allowed"
}

// Error returns status and reason.
func (r *Refusal) Error() string {
	return fmt.Sprintf("millrace client: refused with status %d: %s", r.Status, r.Reason)
}

// event returns which of the events of a request a refusal is about, and the refusal as it would be
// of that event alone: a collector names both, as in "events[3].url: …".
func (r *Refusal) event(of int) (i int, alone *Refusal, ok bool) {
	number, reason, ok := strings.Cut(strings.TrimPrefix(r.Reason, "events["), "]")
	if !ok || !strings.HasPrefix(r.Reason, "events[") {
		return 0, nil, false
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= of {
		return 0, nil, false
	}
	return i, &Refusal{r.Status, strings.TrimLeft(reason, ".: ")}, true
}

// isAbout reports whether a refusal of one event is about a field of it.
func (r *Refusal) isAbout(field string) bool { return strings.HasPrefix(r.Reason, field+": ") }

// answer is what became of a request. With neither taken nor a refusal below 500 it is sent again.
type answer struct {
	taken      bool
	accepted   int           // so many are counted, of the taken
	refusal    *Refusal      // of 4xx and 500
	retryAfter time.Duration // what the collector asks for, 0 for nothing
	status     int           // 0 for no answer
	err        error
}

// why returns why a request is sent again.
func (a *answer) why() string {
	if a.err != nil {
		return a.err.Error()
	}
	return "status " + strconv.Itoa(a.status)
}

// send makes one request.
func (c *Client) send(batch []item) answer {
	ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body(batch)))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "millrace-client")
	if c.o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if err != nil {
		return answer{err: err}
	}
	return read(res, text)
}

// read finds out what an answer says.
func read(res *http.Response, text []byte) answer {
	a := answer{status: res.StatusCode}
	var said struct {
		Accepted *int   `json:"accepted"`
		Error    string `json:"error"`
	}
	isJSON := json.Unmarshal(text, &said) == nil
	switch {
	case a.status/100 == 2:
		// Another server than a collector may answer 200 to anything.
		if a.taken = isJSON && said.Accepted != nil; a.taken {
			a.accepted = *said.Accepted
		} else {
			a.err = fmt.Errorf("status %d without \"accepted\": it is no collector that answers", a.status)
		}
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		a.retryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	case a.status == http.StatusRequestTimeout, a.status > http.StatusInternalServerError,
		a.status == http.StatusInternalServerError && said.Error == "": // a proxy's, not the collector's
	default: // 3xx too: the collector is not at that address
		a.refusal = &Refusal{Status: a.status, Reason: said.Error}
		if !isJSON || said.Error == "" {
			a.refusal.Reason = clean(strings.TrimSpace(http.StatusText(a.status)+" "+string(text)), mostReason)
		}
	}
	return a
}

// retryAfter returns how long the header Retry-After asks to wait, 0 if it does not say.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if sec, err := strconv.Atoi(header); err == nil {
		d = time.Duration(min(sec, int(mostRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), mostRetryAfter)
}

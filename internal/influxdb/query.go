package influxdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ChunkRows is how many rows the server is asked to send at a time. A row with a full sketch is 11 KB, so that a
// chunk stays below 25 MB; fewer rows would cost more than the rows themselves.
const ChunkRows = 2000

// Series is a part of an answer: rows of one measurement and, with GROUP BY, one set of tags.
type Series struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	// Values holds the rows: numbers as json.Number, text, booleans, nil.
	Values [][]any `json:"values"`
}

// Column returns the place of a column, or -1.
func (s *Series) Column(name string) int {
	for i, c := range s.Columns {
		if c == name {
			return i
		}
	}
	return -1
}

// Int returns the whole number in a row's column; false if there is none.
func Int(row []any, column int) (int64, bool) {
	if column < 0 || column >= len(row) {
		return 0, false
	}
	n, ok := row[column].(json.Number)
	if !ok {
		return 0, false
	}
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	// Some servers write large whole numbers as 1.7e9.
	f, err := n.Float64()
	if err != nil || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}

// Text returns the text in a row's column, "" if there is none.
func Text(row []any, column int) string {
	if column < 0 || column >= len(row) {
		return ""
	}
	s, _ := row[column].(string)
	return s
}

// Query runs one statement of InfluxQL and calls fn for each part of the answer, in the server's order. A series
// may come in several parts. The rows are fn's to keep. An error of fn ends the query and is returned.
func (c *Client) Query(ctx context.Context, q string, fn func(*Series) error) error {
	params := url.Values{"db": {c.cfg.DB}, "epoch": {"s"}, "chunked": {"true"}, "chunk_size": {strconv.Itoa(ChunkRows)}}
	if c.cfg.RP != "" {
		params.Set("rp", c.cfg.RP)
	}
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	body := url.Values{"q": {q}}.Encode()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The timer runs while the server is to speak, not while fn works.
	wait := time.AfterFunc(c.timeout, func() { cancel(errSilent) })
	defer wait.Stop()
	resp, err := c.post(ctx, "/query", params, h, strings.NewReader(body))
	if err == nil {
		defer resp.Body.Close()
		err = readResults(resp.Body, func() { wait.Reset(c.timeout) }, func(s *Series) error {
			wait.Stop()
			return fn(s)
		})
	}
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return fmt.Errorf("query %s: %w", c.cfg, errSilent)
	}
	return err
}

var errSilent = errors.New("no answer in time")

// readResults reads a sequence of {"results":[{"series":[…],"error":…}],"error":…}.
func readResults(r io.Reader, reading func(), fn func(*Series) error) error {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	for n := 0; ; n++ {
		var doc struct {
			Results []struct {
				Series []Series
				Error  string
			}
			Error string
		}
		reading()
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read answer of InfluxDB: %w", err)
		}
		if doc.Results == nil && doc.Error == "" {
			return errors.New("read answer of InfluxDB: it has no results: is another server at this address?")
		}
		if doc.Error != "" {
			return &StatusError{Code: http.StatusOK, Message: clip(doc.Error)}
		}
		for _, res := range doc.Results {
			if res.Error != "" {
				return &StatusError{Code: http.StatusOK, Message: clip(res.Error)}
			}
			for i := range res.Series {
				if err := fn(&res.Series[i]); err != nil {
					return err
				}
			}
		}
	}
}

// NoDatabase says whether err is the server's word that the database is not there, which for a reader is the same as
// an empty one.
func NoDatabase(err error) bool {
	var e *StatusError
	if !errors.As(err, &e) {
		return false
	}
	m := strings.ToLower(e.Message)
	return strings.Contains(m, "database not found") || strings.Contains(m, "not found") && strings.Contains(m, "database")
}

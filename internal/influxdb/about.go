package influxdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Ping returns the version of the server, such as "InfluxDB 1.8.10", as far as it says one. The
// error is about a server that is none, or does not answer.
func (c *Client) Ping(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, "/ping", nil, http.Header{}, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	version := resp.Header.Get("X-Influxdb-Version")
	var doc struct{ Version string } // of 3.x
	if version == "" && json.Unmarshal(body, &doc) == nil {
		version = doc.Version
	}
	if version == "" {
		return "", fmt.Errorf("%s answers /ping without a version: is another server, or a proxy, at this address?", c.cfg.String())
	}
	if version == "unknown" { // of a build by its users
		return "InfluxDB of an unknown version", nil
	}
	return "InfluxDB " + clip(strings.TrimPrefix(version, "v")), nil
}

// Retention returns how long the retention policy that is written to keeps points; 0 is for ever.
func (c *Client) Retention(ctx context.Context) (time.Duration, error) {
	var kept time.Duration
	found := false
	err := c.Query(ctx, "SHOW RETENTION POLICIES ON "+QuoteName(c.cfg.DB), func(s *Series) error {
		name, duration, standard := s.Column("name"), s.Column("duration"), s.Column("default")
		for _, row := range s.Values {
			isDefault := false
			if standard >= 0 && standard < len(row) {
				isDefault, _ = row[standard].(bool)
			}
			if c.cfg.RP == "" && !isDefault || c.cfg.RP != "" && Text(row, name) != c.cfg.RP {
				continue
			}
			d, err := time.ParseDuration(Text(row, duration)) // 168h0m0s, 0s
			if err != nil {
				return fmt.Errorf("read retention %.40q: %w", Text(row, duration), err)
			}
			kept, found = d, true
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("there is no such retention policy")
	}
	if err != nil {
		return 0, fmt.Errorf("read retention of %s: %w", c.cfg, err)
	}
	return kept, nil
}

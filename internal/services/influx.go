package services

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// influxServer is InfluxDB 1.8.10, the last release that builds with the Go tools alone; later ones need a library in
// Rust. It speaks the APIs of 1.x and the writing one of 2.x.
func influxServer() server {
	return server{
		name: Influx, pkg: "github.com/influxdata/influxdb/cmd/influxd", version: "v1.8.10", binary: "influxd",
		variable: "MILLRACE_TEST_INFLUX",
		args: func(dir string, port int) (args, env []string, err error) {
			backup, err := freePort()
			if err != nil {
				return nil, nil, err
			}
			file := filepath.Join(dir, "influxdb.conf")
			conf := fmt.Sprintf(influxConf, backup, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), port)
			return []string{"-config", file}, nil, os.WriteFile(file, []byte(conf), 0o600)
		},
		ready: func(ctx context.Context, port int) (string, error) {
			base := fmt.Sprintf("http://127.0.0.1:%d", port)
			return base + "/" + bucketName, createDatabase(ctx, base)
		},
	}
}

// influxConf differs from what InfluxDB does by itself in: loopback, no reports home, no monitoring of itself, the index
// on disk that its makers advise, and less talk.
const influxConf = `reporting-disabled = true
bind-address = "127.0.0.1:%d"

[meta]
  dir = %q

[data]
  dir = %q
  wal-dir = %q
  index-version = "tsi1"
  query-log-enabled = false

[monitor]
  store-enabled = false

[http]
  bind-address = "127.0.0.1:%d"
  log-enabled = false
  pprof-enabled = false

[logging]
  level = "warn"
  suppress-logo = true

[continuous_queries]
  enabled = false
`

func createDatabase(ctx context.Context, base string) error {
	form := url.Values{"q": {`CREATE DATABASE "` + bucketName + `"`}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || strings.Contains(string(body), `"error"`) {
		return fmt.Errorf("create database: %s: %.200s", resp.Status, body)
	}
	return nil
}

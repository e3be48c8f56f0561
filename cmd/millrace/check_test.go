package main

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/certstest"
)

// TestCheck: the command takes what serve takes, and its exit code is for scripts.
func TestCheck(t *testing.T) {
	f := func(code int, want string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		args = append([]string{"check", "--data", filepath.Join(t.TempDir(), "data")}, args...)
		got := run(t.Context(), args, strings.NewReader(""), &out, &errs)
		if text := out.String() + errs.String(); got != code || !strings.Contains(text, want) || strings.Contains(text, theSecret) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", args, got, code, want, text)
		}
	}
	cert, key := certstest.New(t).Write(t, t.TempDir(), time.Now().Add(time.Hour), "localhost")
	f(exitOK, "data folder", "--tls-cert", cert, "--tls-key", key)
	f(exitError, "2 of 5 failed", "--tls-cert", key, "--tls-key", key, "--s3", "s3://k:"+theSecret+"@127.0.0.1:1/bucket")
	f(exitUsage, "--partitions", "--partitions", "0")
}

// TestCheckOnServices has a real InfluxDB and a real S3 server, whose key and secret come from the
// environment; with a wrong secret it says so.
func TestCheckOnServices(t *testing.T) {
	p := servicesPlace(t)
	bucket, err := url.Parse(p.s3)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := bucket.User.Password()
	t.Setenv("AWS_ACCESS_KEY_ID", bucket.User.Username())
	bucket.User = nil
	f := func(secret string, code int, want ...string) {
		t.Helper()
		t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
		var out, errs strings.Builder
		got := run(t.Context(), []string{"check", "--data", p.data, "--influx", p.influx, "--s3", bucket.String()}, strings.NewReader(""), &out, &errs)
		if text := out.String() + errs.String(); got != code || strings.Contains(text, secret) {
			t.Errorf("exit code %d, want %d\n%s", got, code, text)
		}
		for _, line := range want {
			if !strings.Contains(out.String(), line) {
				t.Errorf("no %q in\n%s", line, &out)
			}
		}
	}
	ok := []string{"ok    influxdb            InfluxDB of an unknown version", "ok    influxdb retention  rollups are kept for ever"}
	f(secret, exitOK, append(ok, "keeps and lists what is put there", "warn  influxdb rights     "+p.influx+" was not there, and has been made")...)
	f(theSecret, exitError, append(ok, "check key and secret", "ok    influxdb rights     "+p.influx+" can be written and read")...)
}

package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/duration"
)

// TestSynonyms: a word stands for one flag, which is there, and is none itself in a command that has the flag.
func TestSynonyms(t *testing.T) {
	var cli commandLine
	parser, err := newParser(&cli, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]valueForm{}
	flagForms(parser.Model.Node, all)
	serve := commandFlags(parser.Model.Children[0])
	for theirs, ours := range synonyms() {
		if _, ok := all[ours]; !ok && ours != "config" {
			t.Errorf("%s stands for --%s, which no command has", theirs, ours)
		}
		if slices.Contains(serve, theirs) {
			t.Errorf("%s stands for --%s, but is a flag itself", theirs, ours)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "log-level", "lateness", "linger", "sites", "site-rate", "site-time-zones", "kafka", "data"}
	f := func(word string, want ...string) {
		t.Helper()
		if got := nearest(word, names); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	f("port", "listen")
	f("lisetn", "listen")
	f("listn", "listen")
	f("brokers", "kafka")
	f("kafak", "kafka")
	f("site", "sites")
	f("site-timezones", "site-time-zones")
	f("loglevel", "log-level")
	f("xyzzy")
	f("q")
}

func TestEnvironment(t *testing.T) {
	var cli commandLine
	parser, err := newParser(&cli, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	f := func(setting, want string) {
		t.Helper()
		got := ""
		if err := checkEnvironment(parser.Model.Node, parser.Model.Children[0], []string{"HOME=/", setting}); err != nil {
			got = err.Error()
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", setting, got, want)
		}
	}
	f("MILLRACE_LISTEN=:8080", "")
	f("MILLRACE_GOALS=goals.json", "")
	f("MILLRACE_FORMAT=combined", "") // import's
	f("MILLRACE_CONFIG=x", "")
	f("MILLRACE_LISTN=x", "MILLRACE_LISTN, did you mean MILLRACE_LISTEN?")
	f("MILLRACE_BROKERS=k:9092", "did you mean MILLRACE_KAFKA?")
	f("MILLRACE_QUERYKEYS=k", "did you mean MILLRACE_QUERY_KEYS?")
	f("MILLRACE_HELP=1", "there is no variable MILLRACE_HELP; write millrace --help")
	f("MILLRACE_VERSION=1", "there is no variable MILLRACE_VERSION; write millrace --version")
	f("MILLRACE_NO_LOOPBACK_TRUST=true", "did you mean MILLRACE_LOOPBACK_TRUST=false?")
	f("MILLRACE_=1", "there is no variable MILLRACE_")
	f("MILLRACE_XYZZY=1", "there is no variable MILLRACE_XYZZY")
	f("MILLRACE=1", "")
	f("millrace_listn=x", "")
	// Of tests and scripts.
	f("MILLRACE_TEST_KAFKA=x", "")
	f("MILLRACE_SERVICES_DIR=x", "")
	// Kubernetes sets these for a service that is called millrace, or millrace-query.
	f("MILLRACE_PORT=tcp://10.0.0.11:8080", "")
	f("MILLRACE_SERVICE_HOST=10.0.0.11", "")
	f("MILLRACE_SERVICE_PORT=8080", "")
	f("MILLRACE_SERVICE_PORT_HTTP=8080", "")
	f("MILLRACE_PORT_8080_TCP=tcp://10.0.0.11:8080", "")
	f("MILLRACE_PORT_8080_TCP_PROTO=tcp", "")
	f("MILLRACE_PORT_8080_TCP_PORT=8080", "")
	f("MILLRACE_PORT_8080_TCP_ADDR=10.0.0.11", "")
	f("MILLRACE_QUERY_SERVICE_HOST=10.0.0.11", "")
	f("MILLRACE_QUERY_PORT=tcp://10.0.0.11:8080", "")
	f("MILLRACE_PORT=8080", "did you mean MILLRACE_LISTEN?")
}

// TestDurationFlags: every flag that is a duration takes days.
func TestDurationFlags(t *testing.T) {
	flags, err := parse(t, "serve", "--retention", "7d", "--lateness", "1d12h")
	if err != nil || flags.Serve.Retention != 7*duration.Day || flags.Serve.Lateness != 36*time.Hour {
		t.Errorf("%v, %v, %v", flags.Serve.Retention, flags.Serve.Lateness, err)
	}
	flags, err = parse(t, "dead", "list", "--since", "2w")
	if err != nil || flags.Dead.List.Since != 14*duration.Day {
		t.Errorf("%v, %v", flags.Dead.List.Since, err)
	}
}

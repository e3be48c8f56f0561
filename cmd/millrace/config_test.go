package main

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

func TestParseConfig(t *testing.T) {
	known := map[string]valueForm{"listen": oneValue, "sites": aList, "partitions": oneValue, "demo": oneValue, "site-time-zones": aMapping, "grace": oneValue}
	good := func(text string, want map[string]string) {
		t.Helper()
		got, err := parseConfig([]byte(text), known)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
	good("", map[string]string{})
	good("# nothing\n", map[string]string{})
	good("listen: 127.0.0.1:8080\npartitions: 8\ndemo: true\n", map[string]string{"listen": "127.0.0.1:8080", "partitions": "8", "demo": "true"})
	good("sites: [a.example, b.example]\n", map[string]string{"sites": "a.example,b.example"})
	good("sites:\n  - a.example\ngrace: 5s\n", map[string]string{"sites": "a.example", "grace": "5s"})
	good("site-time-zones: {a.example: Europe/Berlin, b.example: UTC}\n",
		map[string]string{"site-time-zones": "a.example=Europe/Berlin;b.example=UTC"})

	good("sites: a.example,b.example\n", map[string]string{"sites": "a.example,b.example"})
	good("site-time-zones: a.example=Europe/Berlin;b.example=UTC\n", map[string]string{"site-time-zones": "a.example=Europe/Berlin;b.example=UTC"})
	good("listen: '[::1]:8080'\n", map[string]string{"listen": "[::1]:8080"})

	bad := func(text string, wants ...string) {
		t.Helper()
		_, err := parseConfig([]byte(text), known)
		if err == nil {
			t.Errorf("%q is accepted", text)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: error %q does not hold %q", text, err, want)
			}
		}
	}
	bad("lisen: x\ngrase: 5s\n", `line 1: unknown key "lisen"`, `line 2: unknown key "grase"`)
	bad("listen: a\nlisten: b\n", "listen")
	bad("listen:\n", "line 1: listen: has no value")
	bad("sites: [[a]]\n", "sites")
	bad("sites: ['a,b']\n", "comma")
	bad("- listen\n", "line 1")
	bad("listen: [\n", "line")
	bad("listen: [::1]:8080\n", `in quotes: "[::1]:8080"`)
	bad("listen: [a, b]\n", "line 1: listen: is one value")
	bad("sites: {a.example: b}\n", "line 1: sites: a list is written in brackets")
	bad("sites: a.example, b.example\n", "line 1: sites: a list is written in brackets: [a.example, b.example]")
	bad("sites: a.example b.example\n", "[a.example, b.example]")
	bad("sites: a.example;b.example\n", "[a.example, b.example]")
	bad("site-time-zones: a.example:Europe/Berlin\n", "in braces: {a.example: Europe/Berlin}")
	bad("site-time-zones: [a.example, UTC]\n", "in braces")
	bad("site-time-zones: a.example: UTC\n", "a mapping in braces")
	bad("listen: a\n---\nsites: [b]\n", "a second document begins with ---")
	bad("site-time-zones: UTC\n", "in braces: {a: b}")
}

// parse runs the parser alone over a command line.
func parse(t *testing.T, args ...string) (*commandLine, error) {
	t.Helper()
	var cli commandLine
	parser, err := newParser(&cli, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return &cli, err
}

func TestFlagOverEnvironmentOverFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	text := "grace: 3s\nlateness: 3h\nearly: 3s\nlog-level: warn\nsites: [a.example, b.example]\nmax-body: 2MiB\nsite-time-zones: {a.example: Asia/Tokyo}\nloopback-trust: false\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MILLRACE_LATENESS", "2h")
	t.Setenv("MILLRACE_EARLY", "2s")
	t.Setenv("MILLRACE_S3", "s3://here")
	cli, err := parse(t, "--config", file, "serve", "--early", "1s")
	if err != nil {
		t.Fatal(err)
	}
	s := &cli.Serve
	if s.Early != time.Second || s.Lateness != 2*time.Hour || s.Grace != 3*time.Second || s.SilentAfter != 10*time.Second {
		t.Errorf("early %v (flag 1s), lateness %v (environment 2h), grace %v (file 3s), silent-after %v (default 10s)",
			s.Early, s.Lateness, s.Grace, s.SilentAfter)
	}
	if slog.Level(cli.Log.Level).String() != "WARN" || len(s.Sites) != 2 || s.MaxBody != 2<<20 || s.S3 != "s3://here" ||
		s.SiteTimeZones["a.example"] != "Asia/Tokyo" || s.LoopbackTrust {
		t.Errorf("%+v, %+v", cli.Log, s)
	}

	t.Setenv("MILLRACE_CONFIG", file)
	if cli, err = parse(t, "serve"); err != nil || cli.Serve.Grace != 3*time.Second {
		t.Errorf("MILLRACE_CONFIG: grace %v, %v", cli.Serve.Grace, err)
	}
}

func TestEveryFlagHasAVariable(t *testing.T) {
	var cli commandLine
	parser, err := kong.New(&cli, kong.DefaultEnvars("MILLRACE"))
	if err != nil {
		t.Fatal(err)
	}
	nodes := append([]*kong.Node{parser.Model.Node}, parser.Model.Children...)
	for len(nodes) > 0 {
		node := nodes[0]
		nodes = nodes[1:]
		if node.Type == kong.CommandNode {
			nodes = append(nodes, node.Children...)
		}
		for _, f := range node.Flags {
			if node.Name == "chaos" && len(f.Envs) == 0 {
				continue // what is to be harmed is named on the command line
			}
			want := "MILLRACE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			if f.Name != "help" && f.Name != "version" && (len(f.Envs) != 1 || f.Envs[0] != want) {
				t.Errorf("%s --%s: variables %q, want %s", node.Name, f.Name, f.Envs, want)
			}
			if f.Help == "" {
				t.Errorf("%s --%s has no help", node.Name, f.Name)
			}
		}
	}
}

func TestByteSize(t *testing.T) {
	f := func(text string, want byteSize) {
		t.Helper()
		var b byteSize
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
	}
	f("0", 0)
	f("1048576", 1<<20)
	f("512KiB", 512<<10)
	f("64MiB", 64<<20)
	f("2GiB", 2<<30)
	for _, text := range []string{"", "-1", "1MB", "MiB", "1.5MiB", "9999999999GiB", "1 MiB"} {
		if err := new(byteSize).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		dir := filepath.Join(t.TempDir(), "data")
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitUsage {
			t.Errorf("%q exits with %d\n%s%s", args, code, out.String(), errs.String())
		}
		if !strings.Contains(errs.String(), want) || !strings.HasPrefix(errs.String(), "millrace: ") {
			t.Errorf("%q: %q does not hold %q", args, errs.String(), want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%q made the data folder", args)
		}
	}
	f("unknown flag --port, did you mean --listen?", "serve", "--port", "1")
	f("--kafka: \"k1\" has no port; write k1:9092", "serve", "--kafka", "k1")
	f("no role \"cook\"", "serve", "--roles", "cook")
	f("twice", "serve", "--roles", "query,query")
	f("without --kafka", "serve", "--roles", "collect")
	f("without --influx", "serve", "--kafka", "k:9092", "--roles", "process,emit")
	f("--roles archive without --s3: ", "serve", "--kafka", "k:9092", "--roles", "archive")
	f("--sites any", "serve", "--listen", ":8080")
	f("--sites any", "serve", "--listen", "0.0.0.0:8080")
	f("not both", "serve", "--sites", "any,a.example")
	f(`"UPPER"`, "serve", "--sites", "UPPER")
	f("--partitions", "serve", "--partitions", "0")
	f("--retention", "serve", "--retention", "1m")
	f("--demo needs", "serve", "--demo", "--no-loopback-trust")
	f("--grace", "serve", "--grace", "soon")
	f("no such file", "serve", "--config", "not-there.yaml")
	f("the name of the file is empty", "serve", "--config", "")
	f("did you mean --listen?", "serve", "-listen", ":8080")
	f("did you mean --listen?", "serve", "--LISTEN", ":8080")
	f("did you mean --query-keys?", "serve", "-query_keys=x")
	f(`--log-level: "warning" is not debug, info, warn or error`, "serve", "--log-level", "warning")
	f(`--shards: "x" is not the N of SITE=N`, "serve", "--shards", "a.example=x")
	f("there is a semicolon", "serve", "--shards", "a.example=2,b.example=3")
	f("write 127.0.0.1,::1", "serve", "--trusted-proxies", "127.0.0.1, ::1")
	f("write 127.0.0.1,::1", "serve", "--trusted-proxies", "localhost")
}

func TestHelpAndVersion(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("%q exits with %d, %s", args, code, errs.String())
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q prints %q, which does not hold %q", args, out.String(), want)
		}
	}
	f("millrace serve --demo")
	f("millrace serve --demo", "--help")
	f("--archive-every", "serve", "--help")
	f("millrace "+version, "version")
	f("millrace "+version, "--version")
	f("millrace "+version, "-v")
	f("millrace "+version, "serve", "--version")
}

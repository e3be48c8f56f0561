// Package compose proves deploy/compose.yaml and deploy/compose.cluster.yaml.
package compose

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"millrace/deploy/verify"
)

// load reads a file as docker compose does: with its schema, variables and references.
func load(t testing.TB, file string, env ...string) (*types.Project, error) {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{filepath.Join("../..", file)}, cli.WithEnv(env), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	return o.LoadProject(context.Background())
}

func mustLoad(t testing.TB, file string, env ...string) *types.Project {
	t.Helper()
	p, err := load(t, file, env...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFiles: both files load; each image has a version, each file that is mounted is there, each
// Millrace is locked down and has longer to stop than it takes.
func TestFiles(t *testing.T) {
	for file, services := range map[string]int{"compose.yaml": 1, "compose.cluster.yaml": 14} {
		p := mustLoad(t, file, "MILLRACE_SITES=shop.example.com")
		if len(p.Services) != services {
			t.Errorf("%s has %d services, want %d", file, len(p.Services), services)
		}
		volumes := map[string]string{}
		for name, s := range p.Services {
			_, tag, ok := strings.Cut(s.Image[strings.LastIndex(s.Image, "/")+1:], ":")
			if !ok || tag == "latest" {
				t.Errorf("%s: image %s has no version", name, s.Image)
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind {
					if _, err := os.Stat(v.Source); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				} else if by, twice := volumes[v.Source]; twice {
					t.Errorf("%s and %s share the volume %s", name, by, v.Source)
				} else {
					volumes[v.Source] = name
				}
			}
			if !strings.HasPrefix(s.Image, "millrace:") {
				continue
			}
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged || s.User != "" {
				t.Errorf("%s is not locked down: %+v", name, s)
			}
			if s.StopGracePeriod == nil || s.StopGracePeriod.String() < "20s" {
				t.Errorf("%s is killed after %v", name, s.StopGracePeriod)
			}
			for _, port := range s.Ports {
				if port.Target == 8081 && port.HostIP != "127.0.0.1" {
					t.Errorf("%s publishes the admin port to all", name)
				}
			}
		}
	}
}

// TestSitesWanted: compose.yaml without a site is refused with what to do.
func TestSitesWanted(t *testing.T) {
	if _, err := load(t, "compose.yaml"); err == nil || !strings.Contains(err.Error(), "name the sites, such as") {
		t.Error(err)
	}
}

// TestScrapes: Prometheus is told of each Millrace, and of nothing that there is not.
func TestScrapes(t *testing.T) {
	p := mustLoad(t, "compose.cluster.yaml")
	config, err := os.ReadFile("../../prometheus/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for name, s := range p.Services {
		if strings.HasPrefix(s.Image, "millrace:") {
			want = append(want, name+":8081")
		}
	}
	_, list, _ := strings.Cut(string(config), "targets: [")
	list, _, _ = strings.Cut(list, "]")
	got := strings.Split(list, ", ")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("scrapes %q, there are %q", got, want)
	}
}

// TestMetricNames: each metric that an alert or the dashboard is made of is one of docs/metrics.md.
func TestMetricNames(t *testing.T) {
	docs, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"prometheus/rules.yaml", "grafana/dashboards/millrace.json"} {
		data, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(data) {
			t.Errorf("%s is no JSON", file)
		}
		names := regexp.MustCompile(`\bmillrace_[a-z_]+`).FindAllString(string(data), -1)
		if len(names) < 10 {
			t.Errorf("%s names %q", file, names)
		}
		for _, name := range names {
			name = strings.TrimSuffix(name, "_bucket")
			// Tables have what names begin with once.
			known := regexp.MustCompile("`" + name + "[`{]")
			for _, prefix := range []string{"millrace_engine_", "millrace_ingest_", "millrace_rollup_", "millrace_influx_", "millrace_archive_", "millrace_"} {
				if rest, ok := strings.CutPrefix(name, prefix); ok && (known.Match(docs) || regexp.MustCompile("`"+rest+"[`{]").Match(docs)) {
					name = ""
				}
			}
			if name != "" {
				t.Errorf("%s: docs/metrics.md has no %s", file, name)
			}
		}
	}
}

// TestRunbooks: each alert has a section in docs/alerts.md, and each section an alert.
func TestRunbooks(t *testing.T) {
	docs, err := os.ReadFile("../../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var alerts, sections, books []string
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1) {
		alerts = append(alerts, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)runbook: docs/alerts\.md#(\w+)$`).FindAllStringSubmatch(string(rules), -1) {
		books = append(books, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(string(docs), -1) {
		sections = append(sections, m[1])
	}
	if !slices.Equal(alerts, sections) || strings.ToLower(strings.Join(alerts, " ")) != strings.Join(books, " ") {
		t.Errorf("alerts %q\nsections %q\nrunbooks %q", alerts, sections, books)
	}
}

// TestProgram: the program takes what each service of the cluster sets, as far as the Kafka that is
// not there.
func TestProgram(t *testing.T) {
	for name, s := range mustLoad(t, "compose.cluster.yaml").Services {
		if !strings.HasPrefix(s.Image, "millrace:") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// What the image sets; the test of the image holds that.
			env := map[string]string{"MILLRACE_LISTEN": ":8080", "MILLRACE_ADMIN": "127.0.0.1:0", "MILLRACE_DATA": t.TempDir()}
			for key, value := range s.Environment {
				env[key] = *value
			}
			env["MILLRACE_KAFKA"] = verify.NoKafka
			env["MILLRACE_LISTEN"] = strings.Replace(env["MILLRACE_LISTEN"], ":8080", ":0", 1)
			var list []string
			for key, value := range env {
				list = append(list, key+"="+value)
			}
			verify.Accepts(t, list, s.Command...)
		})
	}
}

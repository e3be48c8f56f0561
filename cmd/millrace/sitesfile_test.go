package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSitesFile changes the file of sites of a running server, as Kubernetes changes a ConfigMap: by a link to another
// folder. Sites and keys change within seconds, a broken file changes nothing.
func TestSitesFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	version := 0
	put := func(text string) {
		t.Helper()
		version++
		folder := filepath.Join(dir, fmt.Sprintf("..%d", version))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(folder, "sites.yaml"), text, 0o600)
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(filepath.Base(folder), link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sites.yaml")
	if err := os.Symlink(filepath.Join("..data", "sites.yaml"), file); err != nil {
		t.Fatal(err)
	}
	hash := func(key string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(key))) }

	put("sites: {a.example: {}}")
	s := mustServe(t, localPlace(t), "--sites-file", file)
	metric := func(want string) {
		t.Helper()
		waitFor(t, 20*time.Second, func() error {
			_, body, err := get(s.admin + "/metrics")
			if err == nil && !strings.Contains(body, "\nmillrace_sites_file_valid "+want+"\n") {
				err = fmt.Errorf("the file is not %s yet", want)
			}
			return err
		})
	}
	beacon := func(site string, want int) error {
		if code, answer := mustPost(t, s.url+pathEvents, `{"site":"`+site+`","name":"pageview","url":"https://x/"}`); code != want {
			return fmt.Errorf("%s: status %d, %s", site, code, answer)
		}
		return nil
	}
	query := func(site, key string) int {
		return mustRequest(t, s.url+"/api/v1/stats/realtime/visitors?site_id="+site, key)
	}
	metric("1")
	if err := beacon("b.example", 400); err != nil {
		t.Error(err)
	}
	if got := query("a.example", ""); got != 200 {
		t.Errorf("a query of this machine: status %d", got)
	}
	put("sites: {a.example: {query_keys: ['" + hash(theSecret) + "']}, b.example: {time_zone: Europe/Berlin}}")
	waitFor(t, 20*time.Second, func() error { return beacon("b.example", 202) })
	for _, q := range []struct {
		site, key string
		want      int
	}{{"a.example", "", 401}, {"a.example", theSecret, 200}, {"b.example", theSecret, 401}} {
		if got := query(q.site, q.key); got != q.want {
			t.Errorf("%s with key %q: status %d, want %d", q.site, q.key, got, q.want)
		}
	}
	put("sites: {c.example: {}, a.example: {colour: red}}")
	metric("0")
	if err := beacon("b.example", 202); err != nil {
		t.Error(err)
	}
	if err := beacon("c.example", 400); err != nil {
		t.Error(err)
	}
	put("sites: {a.example: {query_keys: ['" + hash(theSecret) + "'], goals: [{name: Order, event: purchase}]}}")
	metric("1")
	waitFor(t, 20*time.Second, func() error { return beacon("b.example", 400) })
	s.mustStop(t)
	log := s.stderr.String()
	for _, want := range []string{
		"sites.yaml:1:36: sites.a.example.colour: unknown key", `msg="the file of sites is in force"`,
		`what="goals of a.example"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not have %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, theSecret) || strings.Contains(log, hash(theSecret)[7:]) {
		t.Error("the log has a key")
	}
}

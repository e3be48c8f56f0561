package clients

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/bench/verify/chromium"
	"millrace/ingest/protocol/all"
	siteconfig "millrace/internal/site"
)

var rewrite = flag.Bool("rewrite", false, "write what was seen into testdata, and the table into docs/trackers.md")

// variable names a folder with copies of node/ and browser/, in which npm ci has been run.
const variable = "MILLRACE_TEST_CLIENTS"

// patienceOfClients is how long a client may take until it has given up or been taken. None waits
// for longer than some seconds before it sends again for the first time.
const patienceOfClients = 90 * time.Second

// How long pages are open, in their own time: longer than any of their clients waits before it sends
// something again, and than one takes that gives up.
const (
	stay     = 2 * time.Minute
	stayAway = 5 * time.Minute
)

// patienceOfQueries is how long what is counted may take to be in answers: two updates of a minute
// that runs.
const patienceOfQueries = 20 * time.Second

// TestClients has each client send to a real millrace serve, first as it is and then through a
// proxy that answers the first request otherwise. What is seen is what Table has, and each event is
// counted as often as that says.
func TestClients(t *testing.T) {
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skip(variable + " not set: copy node/ and browser/ elsewhere, run npm ci in both, and name that folder, as .ci/run clients does")
	}
	h := mustHarness(t, folder)
	cells := make([]map[Answer]Cell, len(Table()))
	sent := make([]bool, len(Table()))
	var mu sync.Mutex // guards both
	t.Run("answers", func(t *testing.T) {
		for i, c := range Table() {
			cells[i] = map[Answer]Cell{}
			for _, answer := range Answers() {
				t.Run(c.slug()+"/"+string(answer), func(t *testing.T) {
					t.Parallel()
					cell := h.mustAnswer(t, c, answer)
					mu.Lock()
					cells[i][answer] = cell
					mu.Unlock()
				})
			}
			if c.Repeats > 0 {
				t.Run(c.slug()+"/away", func(t *testing.T) {
					t.Parallel()
					h.mustGiveUp(t, c)
				})
			}
			t.Run(c.slug()+"/events", func(t *testing.T) {
				t.Parallel()
				h.mustSend(t, c)
				mu.Lock()
				sent[i] = true
				mu.Unlock()
			})
		}
	})
	h.mustSettle(t)
	// From now on the numbers change with the updates of minutes that run.
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfQueries)
	defer cancel()
	for i, c := range Table() {
		for _, answer := range Answers() {
			cell, want := cells[i][answer], c.Cells[answer]
			if cell.Does == "" {
				continue // it has failed, or -run leaves it out
			}
			cell.Counted = h.mustCount(t, ctx, site(c, answer), want.Counted)
			if cell != want {
				t.Errorf("%s, %s: %v, in the table %v", c.slug(), answer, cell, want)
			}
		}
		if sent[i] {
			h.mustReport(t, ctx, c)
		}
	}
	h.mustAddUp(t)
}

// harness is the program, what refuses, and the browser with the pages that it opens.
type harness struct {
	program  *Program
	refusers *Refusers
	browser  *chromium.Browser
	pages    *Pages
	folder   string
}

func mustHarness(t *testing.T, folder string) *harness {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	sites := filepath.Join(dir, "sites.yaml")
	if err := os.WriteFile(sites, []byte(sitesFile()), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{folder: folder}
	if h.program, err = Start(ctx, exe, filepath.Join(dir, "data"), sites); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.program.Stop(); err != nil {
			t.Errorf("millrace serve ends with %v\n%s", err, h.program.Log())
		}
	})
	if h.refusers, err = StartRefusers(ctx, all.Protocols(), writeKeys()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.refusers.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range Parts() {
		if err := p.Install(ctx, filepath.Join(folder, "browser")); err != nil {
			t.Fatal(err)
		}
	}
	h.pages = StartPages(filepath.Join(folder, "browser"))
	t.Cleanup(h.pages.Close)
	drive := os.Getenv(chromium.Variable)
	if drive == "" {
		t.Fatal(chromium.Variable + " not set: see " + variable + ", for bench/verify/chromium/node")
	}
	if h.browser, err = chromium.Start(drive, h.pages.Address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.browser.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// site returns the site of a client for an answer; "events" is for all that it sends, "away" for 503
// for good.
func site(c Client, answer Answer) string {
	return c.slug() + "-" + string(answer) + ".example"
}

// token returns what the client calls that site.
func token(c Client, answer Answer) string {
	i := slices.IndexFunc(Table(), func(d Client) bool { return d.Script == c.Script })
	return fmt.Sprintf(c.Token, 1000+20*i+slices.Index(sites(), answer))
}

// sites are what clients have a site for.
func sites() []Answer { return append(Answers(), "away", "events") }

// sitesFile returns a file of sites with one for each client and answer.
func sitesFile() string {
	var b strings.Builder
	b.WriteString("sites:\n")
	for _, c := range Table() {
		for _, answer := range sites() {
			names := fmt.Sprintf("aliases: [%q]", token(c, answer))
			if c.Secret {
				names = fmt.Sprintf("write_keys: [%q]", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(token(c, answer)))))
			}
			fmt.Fprintf(&b, "  %s: {currency: EUR, %s}\n", site(c, answer), names)
		}
	}
	return b.String()
}

// writeKeys returns those of all sites, which the collectors that refuse have to know.
func writeKeys() siteconfig.Keys {
	var list []siteconfig.Key
	for _, c := range Table() {
		for _, answer := range sites() {
			if c.Secret {
				list = append(list, siteconfig.Key{Hash: sha256.Sum256([]byte(token(c, answer)))})
			}
		}
	}
	return siteconfig.NewKeys(list...)
}

// mustSend has a client send all that it can to the program itself.
func (h *harness) mustSend(t *testing.T, c Client) {
	out := h.mustRun(t, c, Job{URL: h.program.URL, Token: token(c, "events"), Site: site(c, "events"), Events: "view,order"}, &Tab{}, stay)
	if want := c.Cells[Accepted].Sees; out.Sees() != want {
		t.Errorf("the caller sees %s, want %s\n%s", out.Sees(), want, out.Text)
	}
	if len(out.Errors) > 0 {
		t.Errorf("the page has errors: %q", out.Errors)
	}
}

// mustAnswer has a client send one event, and returns what it does with an answer.
func (h *harness) mustAnswer(t *testing.T, c Client, answer Answer) Cell {
	p := h.mustProxy(t, c, answer, 1)
	defer p.Close()
	job, tab := Job{URL: p.URL, Token: token(c, answer), Site: site(c, answer), Events: "order"}, &Tab{}
	out := h.mustRun(t, c, job, tab, stay)
	if p.Requests() == 0 {
		t.Fatalf("nothing was sent\n%s", out.Text)
	}
	if c.InBrowser() && answer != Accepted && p.Before(out.Idle) < 2 {
		// What is kept may go when the visitor comes again.
		job.Events = ""
		h.mustRun(t, c, job, tab, stay/4)
	}
	if answer == Accepted && len(out.Errors) > 0 {
		t.Errorf("the page has errors: %q", out.Errors)
	}
	return Cell{Status: p.Status(), Does: out.Does(answer, p.Requests(), p.Before(out.Idle)), Sees: out.Sees()}
}

// mustGiveUp has a client send one event to a collector that answers 503 for good.
func (h *harness) mustGiveUp(t *testing.T, c Client) {
	p := h.mustProxy(t, c, Unavailable, math.MaxInt)
	defer p.Close()
	out := h.mustRun(t, c, Job{URL: p.URL, Token: token(c, "away"), Site: site(c, "away"), Events: "order"}, &Tab{}, stayAway)
	if got := p.Before(out.Idle) - 1; got != c.Repeats {
		t.Errorf("sent again %d times, in the table %d", got, c.Repeats)
	}
	// It ends as it does at a refusal.
	if want := c.Cells[Invalid].Sees; out.Sees() != want {
		t.Errorf("the caller sees %s, want %s", out.Sees(), want)
	}
}

// mustProxy starts a proxy that gives an answer to the first requests of a client.
func (h *harness) mustProxy(t *testing.T, c Client, answer Answer, faults int) *Proxy {
	t.Helper()
	fault, err := h.refusers.Fault(answer)
	if err != nil {
		t.Fatal(err)
	}
	var only func(*http.Request) bool
	if c.InBrowser() {
		only = Carries("Order") // the others are preflights, settings and pings
	}
	p, err := StartProxy(h.program.URL, fault, faults, only)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mustRun runs a client, in a browser for so long in the time of its page.
func (h *harness) mustRun(t *testing.T, c Client, j Job, tab *Tab, stay time.Duration) *Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfClients)
	defer cancel()
	began := time.Now()
	var out *Outcome
	var err error
	if c.InBrowser() {
		tab.Browser, tab.Pages = h.browser, h.pages
		out, err = tab.Open(ctx, c.Script, j, stay)
	} else {
		out, err = Run(ctx, filepath.Join(h.folder, "node"), c.Script, j)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f s, exit code %d\n%s", time.Since(began).Seconds(), out.Exit, out.Text)
	return out
}

// mustSettle waits until the engine has counted all that the collector has taken.
func (h *harness) mustSettle(t *testing.T) {
	t.Helper()
	waitFor(t, func() error {
		taken, err := h.program.Sum("millrace_ingest_events_accepted_total", "")
		if err != nil {
			return err
		}
		counted, err := h.program.Sum("millrace_engine_events_total", "")
		if err == nil && counted != taken {
			err = fmt.Errorf("%v of %v events are counted", counted, taken)
		}
		return err
	})
}

// mustCount returns how many events a site has, which is what is wanted unless that does not come
// until the context ends.
func (h *harness) mustCount(t *testing.T, ctx context.Context, site string, want int) int {
	t.Helper()
	for {
		rows, err := h.program.Query(site, []string{"events"})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := rows[0].Metrics[0].(float64)
		if !ok {
			t.Fatalf("%s: events are %v", site, rows[0].Metrics[0])
		}
		if int(got) == want || !pause(ctx) {
			return int(got)
		}
	}
}

// mustAddUp holds that no site will have more than it was seen to have: all that the engine has
// counted is in the answers.
func (h *harness) mustAddUp(t *testing.T) {
	t.Helper()
	counted := 0.0
	for _, outcome := range []string{"on_time", "late"} {
		n, err := h.program.Sum("millrace_engine_events_total", fmt.Sprintf("outcome=%q", outcome))
		if err != nil {
			t.Fatal(err)
		}
		counted += n
	}
	answered := 0.0
	for _, c := range Table() {
		for _, answer := range sites() {
			rows, err := h.program.Query(site(c, answer), []string{"events"})
			if err != nil {
				t.Fatal(err)
			}
			n, _ := rows[0].Metrics[0].(float64)
			answered += n
		}
	}
	if counted == 0 || answered != counted {
		t.Errorf("the sites have %v events, and %v were counted", answered, counted)
	}
	t.Logf("%v events", answered)
}

// reported are the dimensions of a report; the properties are all that any client sends.
var reported = []string{"event:name", "event:page", "event:hostname", "visit:referrer", "visit:browser_version", "visit:os",
	"event:props:title", "event:props:plan", "event:props:plan.plan", "event:props:dimension1", "event:props:event_label"}

// mustReport compares all that is counted of what a client sends with testdata/counted.
func (h *harness) mustReport(t *testing.T, ctx context.Context, c Client) {
	t.Helper()
	file := filepath.Join("testdata", "counted", c.slug()+".txt")
	for {
		got, err := h.report(site(c, "events"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err == nil && got == string(want) {
			return
		}
		if pause(ctx) {
			continue
		}
		if !*rewrite {
			t.Errorf("%s has\n%s\nand seen was\n%s\n-rewrite writes it", file, want, got)
		} else if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
}

// report returns the numbers of a site, and those by each of the dimensions that it has a value of.
func (h *harness) report(site string) (string, error) {
	metrics := []string{"events", "pageviews", "visitors", "total_revenue"}
	rows, err := h.program.Query(site, metrics)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v\n", strings.Join(metrics, " "), rows[0].Metrics)
	for _, dimension := range reported {
		rows, err := h.program.Query(site, metrics, dimension)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(rows, func(r Row) bool { return r.Dimensions[0] != "(none)" }) {
			continue
		}
		fmt.Fprintf(&b, "%s\n", dimension)
		for _, row := range rows {
			fmt.Fprintf(&b, "\t%s %v\n", row.Dimensions[0], row.Metrics)
		}
	}
	return strings.ReplaceAll(b.String(), site, "SITE"), nil
}

// pause waits for a moment, and reports whether the context still has time.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

// waitFor calls f until it returns nil, for at most half a minute.
func waitFor(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

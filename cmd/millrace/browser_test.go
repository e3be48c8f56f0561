package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/bench/verify/chromium"
)

// mustBrowser starts a browser. The test skips without the variable.
func mustBrowser(t *testing.T, address string) *chromium.Browser {
	t.Helper()
	folder := os.Getenv(chromium.Variable)
	if folder == "" {
		t.Skip(chromium.Variable + " not set: copy bench/verify/chromium/node elsewhere, run npm ci there, and name that folder, as .ci/run browser does")
	}
	b, err := chromium.Start(folder, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// web is what Chromium sees of the world: stats.example is a millrace serve, all other hosts have pages.
type web struct {
	address string // HOST:PORT
	backend http.Handler

	mu     sync.Mutex                      // guards what follows
	loaded []string                        // pages that were loaded, host and path
	pages  map[string]string               // what is in the head and the body of a host's pages
	sent   map[string][]sentEvent          // what came to /api/event, by the host of the page
	fault  func(n int, e sentEvent) outage // of the n-th event of all, from 1
}

// outage is what becomes of an event on its way.
type outage int

const (
	passed      outage = iota
	answered503        // answered with 503
	answered429        // answered with 429
	cutOff             // the connection is closed
	answerLost         // the collector has it, the answer is cut
)

// sentEvent is a request to /api/event.
type sentEvent struct {
	ID, Name, URL, Referrer string
	Props                   any
	Scroll                  float64 `json:"sd"`
	Engaged                 float64 `json:"e"`
}

func startWeb(t *testing.T, s *serving) *web {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	w := &web{backend: httputil.NewSingleHostReverseProxy(u), pages: map[string]string{}, sent: map[string][]sentEvent{}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.address = server.Listener.Addr().String()
	return w
}

// ServeHTTP is the collector at stats.example, and pages elsewhere: any path is one; what is in /missing is 404, and .pdf, .zip are files.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	switch {
	case host == "stats.example" && r.URL.Path == "/api/event" && r.Method == http.MethodPost:
		w.event(rw, r)
	case host == "stats.example":
		w.backend.ServeHTTP(rw, r)
	case r.URL.Path == "/loaded":
		w.mu.Lock()
		defer w.mu.Unlock()
		fmt.Fprintln(rw, w.loaded)
	case strings.HasSuffix(r.URL.Path, ".pdf"):
		rw.Header().Set("Content-Disposition", "attachment")
		io.WriteString(rw, "%PDF-1.4")
	default:
		w.mu.Lock()
		page := w.pages[host]
		w.loaded = append(w.loaded, host+r.URL.Path)
		w.mu.Unlock()
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		if strings.HasPrefix(r.URL.Path, "/missing") {
			rw.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(rw, "<!doctype html><html lang=en><title>%s</title>%s", r.URL.Path, page)
	}
}

// event passes an event on, unless there is an outage.
func (w *web) event(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var raw struct {
		sentEvent
		ID json.Number
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		http.Error(rw, err.Error(), http.StatusTeapot)
		return
	}
	e := raw.sentEvent
	e.ID = raw.ID.String()
	page, err := url.Parse(e.URL)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusTeapot)
		return
	}
	w.mu.Lock()
	w.sent[page.Hostname()] = append(w.sent[page.Hostname()], e)
	out := passed
	if w.fault != nil {
		out = w.fault(len(w.sent[page.Hostname()]), e)
	}
	w.mu.Unlock()
	// What a page that is closed does not wait for reaches the collector all the same.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	switch out {
	case answered503, answered429:
		rw.Header().Set("Access-Control-Allow-Origin", "*")
		rw.WriteHeader(map[outage]int{answered503: http.StatusServiceUnavailable, answered429: http.StatusTooManyRequests}[out])
	case answerLost:
		w.backend.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case cutOff:
		panic(http.ErrAbortHandler)
	default:
		w.backend.ServeHTTP(rw, r)
	}
}

// events returns what pages of a host have sent.
func (w *web) events(host string) []sentEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent[host])
}

// pings returns what pages of a host have sent of how they are read.
func (w *web) pings(host string) []sentEvent {
	return slices.DeleteFunc(w.events(host), func(e sentEvent) bool { return e.Name != "engagement" })
}

// pageScript is the element that docs/script.md has.
func pageScript(host, attributes string) string {
	return fmt.Sprintf(`<script defer data-domain="%s" %s src="http://stats.example/js/script.js"></script>`, host, attributes)
}

// scenario is what happens on the pages of a host, and what is counted of it.
type scenario struct {
	name       string // the host is name.example
	attributes string // of the script
	page       string // the head and the body, behind the script
	without    bool   // the script is not there but by page
	fault      func(n int, e sentEvent) outage
	code       string
	want       string                                                                     // as counted returns it
	check      func(t *testing.T, w *web, s *serving, host string, value json.RawMessage) // besides
}

const longPage = `<div style="height:5000px"></div>`

// sentBy waits in a page until its script has made so many requests.
const sentBy = `const sentBy = (page, n) => until(() => page.evaluate((n) => performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/event')).length >= n, n));
`

func scenarios() []scenario {
	return []scenario{
		{
			name: "views", page: `<a href="/b">next</a>`,
			code: `
				await page.goto('http://views.example/a?x=1#y')
				await Promise.all([page.waitForNavigation(), page.click('a')])
				await page.goto('about:blank')
				await until(() => true)`,
			want: "views /a 1, /b 1; events pageview 2",
			check: func(t *testing.T, w *web, s *serving, host string, _ json.RawMessage) {
				events := w.events(host)
				if i := slices.IndexFunc(events, func(e sentEvent) bool { return e.Name == "pageview" && e.URL == "http://views.example/b" }); i < 0 || events[i].Referrer != "http://views.example/a?x=1" {
					t.Errorf("views %+v", events)
				}
			},
		},
		{
			name: "spa",
			code: sentBy + `
				await page.goto('http://spa.example/a', {referer: 'http://news.example/item'})
				await page.evaluate(() => { history.pushState({}, '', '/b'); history.replaceState({}, '', '/b?tab=2'); location.hash = 'x' })
				await page.evaluate(() => { history.replaceState({}, '', '/c'); dispatchEvent(new Event('scroll')) })
				await page.evaluate(() => history.pushState({}, '', '/d'))
				await page.goBack()
				await until(() => page.evaluate(() => location.pathname == '/c'))
				await sentBy(page, 9)`,
			want: "views /a 1, /b 1, /c 2, /d 1; events pageview 5",
		},
		{
			name: "hash", attributes: `data-track="hash"`,
			code: sentBy + `
				await page.goto('http://hash.example/app')
				await page.evaluate(() => { location.hash = '#/x' })
				await page.evaluate(() => { location.hash = '#/y' })
				await page.goBack()
				await sentBy(page, 7)`,
			want: "views /app 1, /app#/x 2, /app#/y 1; events pageview 4",
		},
		{
			name: "calls", attributes: `data-props='{"author":"Ada"}'`, without: true,
			page: `<script>window.plausible = window.plausible || function () { (plausible.q = plausible.q || []).push(arguments) }
				plausible('Early', {props: {at: 'start'}})</script>` + pageScript("calls.example", `data-props='{"author":"Ada"}'`),
			code: `
				await page.goto('http://calls.example/p')
				return await page.evaluate(() => new Promise((done) =>
					plausible('Buy', {props: {plan: 'pro'}, revenue: {amount: 12.5, currency: 'EUR'}, callback: (res) => done(res.status)})))`,
			want: "views /p 1; events Buy 1, Early 1, pageview 1; props at start 1, author Ada 1, plan pro 1; revenue 12.5",
			check: func(t *testing.T, _ *web, _ *serving, _ string, value json.RawMessage) {
				if string(value) != "202" {
					t.Errorf("the callback has the status %s", value)
				}
			},
		},
		{
			name: "elements", attributes: `data-track="outbound form download"`,
			page: `<button data-event="Signup" data-props='{"plan":"pro"}' data-revenue='{"amount":3,"currency":"EUR"}'>Sign <b>up</b></button>
				<a id=tagged data-event="Partner" href="http://other.example/">partner</a>
				<div data-event="Card"><a id=card href="#there">inside</a></div>
				<form data-event="Order" action="#" onsubmit="return false"><input name=action><i>text</i><button id=order>go</button></form>`,
			code: `
				await page.goto('http://elements.example/')
				await page.evaluate(() => addEventListener('click', (e) => { if (e.target.closest('a')) e.preventDefault() }))
				for (const what of ['b', '#tagged', '#card', 'i', '#order']) await page.click(what)`,
			want: "views / 1; events Card 1, Order 1, Partner 1, Signup 1, pageview 1; props plan pro 1, url http://other.example/ 1; revenue 3",
		},
		{
			name: "auto", attributes: `data-track="outbound-links file-downloads form-submissions"`,
			page: `<a id=out href="http://other.example/x?y=1">out</a> <a id=wheel href="https://wheel.example/">wheel</a> <a id=mail href="mailto:a@b.example">mail</a>
				<a id=in href="/inside">in</a> <a id=file href="/files/a.pdf">file</a> <a id=cdn href="http://cdn.example/b.zip">cdn</a> <a id=nothing>nothing</a>
				<form action="#" onsubmit="return false"><button id=send>go</button></form>`,
			code: `
				await page.goto('http://auto.example/')
				await page.evaluate(() => addEventListener('click', (e) => { if (e.target.closest('a')) { e.preventDefault(); e.stopPropagation() } }, true))
				for (const what of ['#out', '#mail', '#in', '#file', '#cdn', '#nothing', '#send']) await page.click(what)
				await page.click('#out', {button: 'right'})
				await page.click('#wheel', {button: 'middle'})`,
			want: "views / 1; events File Download 1, Form: Submission 1, Outbound Link: Click 3, pageview 1; " +
				"props url http://auto.example/files/a.pdf 1, url http://cdn.example/b.zip 1, url http://other.example/x?y=1 1, url https://wheel.example/ 1",
		},
		{
			name: "off",
			page: `<a id=out href="http://other.example/">out</a> <a id=file href="/files/a.pdf">file</a>
				<form action="#" onsubmit="return false"><button id=send>go</button></form>`,
			code: `
				await page.goto('http://off.example/')
				for (const what of ['#file', '#send', '#out']) await page.click(what)`,
			want: "views / 1; events pageview 1",
		},
		{
			name: "notfound", attributes: `data-track="404"`,
			code: `await page.goto('http://notfound.example/missing/x')`,
			want: "views /missing/x 1; events 404 1, pageview 1",
		},
		{
			name: "reading", page: longPage,
			code: `
				await page.goto('http://reading.example/long')
				const began = Date.now()
				await page.evaluate(() => scrollTo(0, 2000))
				await until(() => page.evaluate(() => scrollY == 2000))
				await until(() => Date.now() - began > 300)
				await page.goto('about:blank')`,
			want: "views /long 1; events pageview 1",
			check: func(t *testing.T, w *web, _ *serving, host string, _ json.RawMessage) {
				waitFor(t, 10*time.Second, func() error {
					if pings := w.pings(host); len(pings) != 1 || pings[0].Engaged < 300 || pings[0].Engaged > 20e3 || pings[0].Scroll < 45 || pings[0].Scroll > 65 {
						return fmt.Errorf("pings %+v", pings)
					}
					return nil
				})
			},
		},
		{
			name: "bfcache",
			code: `
				await page.goto('http://bfcache.example/a')
				await page.evaluate(() => { window.kept = true })
				await page.goto('http://bfcache.example/b')
				await page.goBack()
				return await page.evaluate(() => !!window.kept)`,
			want: "views /a 2, /b 1; events pageview 3",
			check: func(t *testing.T, _ *web, _ *serving, _ string, value json.RawMessage) {
				if string(value) != "true" {
					t.Error("the page was loaded anew: the test has not seen the cache")
				}
			},
		},
		{
			// The driver sees another target take the place of the page, or not in time: so the page tells the server.
			name: "ahead", page: `<script type=speculationrules>{"prerender":[{"urls":["/seen","/unseen"]}]}</script><a href="/seen">seen</a>
				<script>document.onprerenderingchange = () => fetch('/shown' + location.pathname)</script>`,
			code: `
				const loaded = async (path) => (await (await fetch(arg + '/loaded')).text()).includes('ahead.example' + path)
				await page.goto('http://ahead.example/')
				await until(async () => await loaded('/seen') && await loaded('/unseen'))
				await page.evaluate(() => document.querySelector('a').click()).catch(() => {})
				await until(() => loaded('/shown/seen'))`,
			want: "views / 1, /seen 1; events pageview 2",
		},
		{
			name: "behind",
			code: `
				await page.goto('http://behind.example/front')
				const other = await context.newPage()
				await page.bringToFront()
				await until(() => other.evaluate(() => document.hidden))
				await other.goto('http://behind.example/back')
				await other.evaluate(() => plausible('Waiting'))
				return await other.evaluate(() => document.hidden)`,
			want: "views /front 1; events pageview 1",
			check: func(t *testing.T, _ *web, _ *serving, _ string, value json.RawMessage) {
				if string(value) != "true" {
					t.Error("the tab was not behind another")
				}
			},
		},
		{
			name:  "away", // Kafka, or whatever else
			fault: func(n int, _ sentEvent) outage { return []outage{answered503, answered429, passed}[min(n, 3)-1] },
			code:  sentBy + `await page.goto('http://away.example/'); await sentBy(page, 3)`,
			want:  "views / 1; events pageview 1",
		},
		{
			name:  "lost",
			fault: func(n int, _ sentEvent) outage { return []outage{answerLost, cutOff, passed}[min(n, 3)-1] },
			code:  sentBy + `await page.goto('http://lost.example/'); await sentBy(page, 3)`,
			want:  "views / 1; events pageview 1",
		},
		{
			name: "closed",
			code: `await page.goto('http://closed.example/', {waitUntil: 'domcontentloaded'}); await page.close({runBeforeUnload: false})`,
			want: "views / 1; events pageview 1",
		},
		{
			name:  "closedaway", // what has no answer when the page is left goes once more
			fault: func(n int, _ sentEvent) outage { return []outage{answered503, passed}[min(n, 2)-1] },
			code:  sentBy + `await page.goto('http://closedaway.example/'); await sentBy(page, 1); await page.goto('about:blank')`,
			want:  "views / 1; events pageview 1",
			check: func(t *testing.T, w *web, _ *serving, host string, _ json.RawMessage) {
				waitFor(t, 10*time.Second, func() error {
					events := slices.DeleteFunc(w.events(host), func(e sentEvent) bool { return e.Name != "pageview" })
					if len(events) != 2 || events[0].ID != events[1].ID {
						return fmt.Errorf("events %+v", events)
					}
					return nil
				})
			},
		},
		{
			name: "noscript", page: `<noscript><img alt="" src="http://stats.example/v1/pixel.gif?site=noscript.example" referrerpolicy="no-referrer-when-downgrade"></noscript>`,
			code: `
				await page.setJavaScriptEnabled(false)
				await page.goto('http://noscript.example/far/page?a=1', {waitUntil: 'load'})`,
			want: "views /far/page 1; events pageview 1",
		},
		{
			name: "words", without: true,
			page: `<script defer data-domain="words.example" src="http://stats.example/js/script.hash.outbound-links.js"></script><a href="http://other.example/">out</a>`,
			code: `await page.goto('http://words.example/app#/x'); await page.click('a')`,
			want: "views /app#/x 1; events Outbound Link: Click 1, pageview 1; props url http://other.example/ 1",
		},
		{
			name: "init", without: true,
			page: `<script async src="http://stats.example/js/pa-AbC.js"></script>
				<script>window.plausible=window.plausible||function(){(plausible.q=plausible.q||[]).push(arguments)},plausible.init=plausible.init||function(i){plausible.o=i||{}};plausible.init()</script>`,
			code: `await page.goto('http://init.example/')`,
			want: "views / 1; events pageview 1",
		},
		{
			name: "twice", page: pageScript("twice.example", "") + pageScript("twice.example", ""),
			code: `await page.goto('http://twice.example/')`,
			want: "views / 1; events pageview 1",
		},
		{
			name: "manual", attributes: `data-track="manual"`,
			code: `
				await page.goto('http://manual.example/secret/7')
				await page.evaluate(() => { plausible('pageview', {u: 'http://manual.example/secret'}); plausible('pageview', {url: 'http://manual.example/public'}) })`,
			want: "views /public 1, /secret 1; events pageview 2",
		},
		{
			name: "reasons", without: true, // pages read why they are refused
			code: `
				await page.goto('http://reasons.example/')
				return await page.evaluate(async () => {
					const ask = async (path, init) => { const res = await fetch('http://stats.example' + path, init); return res.status + ' ' + (await res.text()) }
					const json = (headers, body) => ({method: 'POST', headers: {'Content-Type': 'application/json', ...headers}, body})
					return [
						await ask('/api/evnt', {method: 'POST', body: '{}'}),
						await ask('/api/event', {method: 'POST', body: '{"n":"x","u":"/"}'}),
						await ask('/api/event', {method: 'PUT', body: '{}'}).catch((err) => err.name),
						await ask('/v1/events', json({}, '{"site":"a"}')),
						await ask('/v1/events', json({Authorization: 'Bearer nobody'}, '[]')),
						await ask('/v1/track', json({Authorization: 'Basic bm9ib2R5Og=='}, '{')),
						await ask('/js/other.js'),
					]
				})`,
			check: func(t *testing.T, _ *web, _ *serving, _ string, value json.RawMessage) {
				var got []string
				if err := json.Unmarshal(value, &got); err != nil {
					t.Fatal(err)
				}
				for i, want := range []string{"404 {", "400 {", "TypeError", "400 {", "401 {", "400 {", "404 {"} {
					if !strings.HasPrefix(got[i], want) {
						t.Errorf("answer %d: %s, want %s", i, got[i], want)
					}
				}
			},
		},
	}
}

// TestBrowser has the page script of a millrace serve in a real Chromium, and looks at what is counted.
func TestBrowser(t *testing.T) {
	if os.Getenv(chromium.Variable) == "" {
		mustBrowser(t, "") // which skips
	}
	s := mustServe(t, localPlace(t), "--sites", "any", "--early", "500ms")
	w := startWeb(t, s)
	b := mustBrowser(t, w.address)
	var played []scenario
	for _, c := range scenarios() {
		t.Run(c.name, func(t *testing.T) {
			played = append(played, c)
			host := c.name + ".example"
			page := c.page
			if !c.without {
				page = pageScript(host, c.attributes) + page
			}
			w.mu.Lock()
			w.pages[host], w.fault = page, c.fault
			w.mu.Unlock()
			value, err := b.Run(t.Context(), c.code, "http://"+w.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if t.Failed() {
					t.Logf("sent: %+v", w.events(host))
				}
			}()
			if c.want != "" {
				mustSee(t, s, host, c.want)
			}
			if c.check != nil {
				c.check(t, w, s, host, value)
			}
		})
	}
	// What was sent again meanwhile has changed nothing.
	for _, c := range played {
		if got, err := counted(s, c.name+".example"); err != nil || got != c.want && c.want != "" {
			t.Errorf("%s, in the end: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
	s.mustStop(t)
}

func mustSee(t *testing.T, s *serving, host, want string) {
	t.Helper()
	waitFor(t, 10*time.Second, func() error {
		got, err := counted(s, host)
		if err == nil && got != want {
			err = fmt.Errorf("counted is\n%s, want\n%s", got, want)
		}
		return err
	})
}

// counted returns what is counted of a site: its pages, events, properties and revenue.
func counted(s *serving, site string) (string, error) {
	list := func(metric, dimension, prefix string) ([]string, error) {
		a, err := s.ask(map[string]any{"site_id": site, "metrics": []string{metric}, "date_range": aroundNow(), "dimensions": []string{dimension}})
		if err != nil {
			return nil, err
		}
		var rows []string
		for _, row := range a.Results {
			if row.Metrics[0] > 0 && row.Dimensions[0] != "(none)" {
				rows = append(rows, fmt.Sprintf("%s%s %v", prefix, row.Dimensions[0], row.Metrics[0]))
			}
		}
		slices.Sort(rows)
		return rows, nil
	}
	views, err := list("pageviews", "event:page", "")
	if err != nil {
		return "", err
	}
	events, err := list("events", "event:name", "")
	if err != nil {
		return "", err
	}
	out := "views " + strings.Join(views, ", ") + "; events " + strings.Join(events, ", ")
	var props []string
	for _, key := range []string{"at", "author", "plan", "url"} {
		rows, err := list("events", "event:props:"+key, key+" ")
		if err != nil {
			return "", err
		}
		props = append(props, rows...)
	}
	if len(props) > 0 {
		out += "; props " + strings.Join(props, ", ")
	}
	a, err := s.ask(map[string]any{"site_id": site, "metrics": []string{"total_revenue"}, "date_range": aroundNow()})
	if err != nil {
		return "", err
	}
	if sum := a.Results[0].Metrics[0]; sum != 0 {
		out += fmt.Sprintf("; revenue %v", sum)
	}
	return out, nil
}

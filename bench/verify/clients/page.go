package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"millrace/bench/verify/chromium"
)

// A Tab is where pages are opened. Those of one Tab share what the client keeps in the browser, as
// the pages of one visitor do.
type Tab struct {
	Browser *chromium.Browser
	Pages   *Pages

	id string // of the browser context, "" before the first page
}

// openPage opens the page of a site and leaves it when so much time has passed in it. That is time of the
// page: it stands while a request is under way, and otherwise goes as fast as there is nothing to
// do, so that what is done in a minute takes a moment.
const openPage = `
const own = browser.browserContexts().find((c) => c.id === arg.context) ?? context
const tab = await own.newPage()
const lines = []
tab.on('console', (m) => lines.push(m.type() === 'error' ? 'error ' + m.text() : m.text()))
tab.on('pageerror', (err) => lines.push('error ' + err))
await tab.setUserAgent({
	userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36',
	userAgentMetadata: {
		brands: [{brand: 'Chromium', version: '146'}], fullVersion: '146.0.0.0',
		platform: 'Linux', platformVersion: '', architecture: 'x86', model: '', mobile: false,
	},
})
await tab.goto(arg.page, {referer: arg.referrer, referrerPolicy: 'unsafe-url'})
const time = await tab.createCDPSession()
for (let second = 0; second < arg.seconds; second += 5) {
	const passed = new Promise((done) => time.once('Emulation.virtualTimeBudgetExpired', done))
	await time.send('Emulation.setVirtualTimePolicy', {policy: 'pauseIfNetworkFetchesPending', budget: 5000})
	await passed
	await new Promise((done) => setTimeout(done, 10)) // for what no page waits for, such as beacons
}
const left = Date.now()
await tab.close()
return {context: own.id, lines, left}`

// Open opens the page with a client, and leaves it after so much of its time.
func (t *Tab) Open(ctx context.Context, file string, j Job, stay time.Duration) (*Outcome, error) {
	t.Pages.set(file, j)
	value, err := t.Browser.Run(ctx, openPage, map[string]any{
		"context": t.id, "page": "http://" + j.Site + "/pricing", "referrer": "http://news.example/item?id=7", "seconds": int(stay / time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	var seen struct {
		Context string
		Lines   []string
		Left    int64 // ms since 1970
	}
	if err := json.Unmarshal(value, &seen); err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	t.id = seen.Context
	o := outcomeOf(seen.Lines)
	o.Idle = time.UnixMilli(seen.Left)
	return o, nil
}

// outcomeOf returns the outcome that lines tell.
func outcomeOf(lines []string) *Outcome {
	o := &Outcome{Text: strings.Join(lines, "\n")}
	for _, line := range lines {
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "success", "failure":
			o.Lines = append(o.Lines, line)
		case "error":
			o.Errors = append(o.Errors, rest)
		}
	}
	return o
}

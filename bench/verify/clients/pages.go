package clients

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Pages is the web server of the sites on which clients for browsers run. The host of a request says
// which of them it is.
type Pages struct {
	Address string // HOST:PORT

	folder string
	server *httptest.Server

	mu    sync.Mutex // guards what follows
	sites map[string]sitePage
}

// sitePage is the page of a site: a file of the folder, and what it is to send.
type sitePage struct {
	file string
	job  Job
}

// StartPages starts it, with a copy of browser/ in which npm ci has been run.
func StartPages(folder string) *Pages {
	p := &Pages{folder: folder, sites: map[string]sitePage{}}
	p.server = httptest.NewServer(p)
	p.Address = p.server.Listener.Addr().String()
	return p
}

// Close ends it.
func (p *Pages) Close() { p.server.Close() }

// set says what the pages of a site are from now on.
func (p *Pages) set(file string, j Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sites[j.Site] = sitePage{file, j}
}

// ServeHTTP answers with the job (/job.js), a file of a package (/packages/...), and else with the
// page.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	p.mu.Lock()
	page, ok := p.sites[host]
	p.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	if name, ok := strings.CutPrefix(path.Clean(r.URL.Path), "/packages/"); ok {
		file := filepath.Join(p.folder, "node_modules", name)
		if _, err := os.Stat(file); err != nil {
			file += ".js" // as bundlers look for it
		}
		http.ServeFile(w, r, file)
		return
	}
	if r.URL.Path != "/job.js" {
		http.ServeFile(w, r, filepath.Join(p.folder, page.file))
		return
	}
	head, err := json.Marshal(map[string]string{
		"url": page.job.URL, "host": strings.TrimPrefix(page.job.URL, "http://"), "token": page.job.Token,
		"site": page.job.Site, "events": page.job.Events,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	words, err := os.ReadFile(filepath.Join(p.folder, "job.js"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript")
	fmt.Fprintf(w, "const job = %s\n%s", head, words)
}

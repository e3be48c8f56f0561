package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/wire"
	"millrace/ingest/protocol"
	"millrace/internal/atomicfile"
	"millrace/internal/site"
	"millrace/internal/smallfile"
)

// quotas count the events of sites that have a quota. They are this collector's: several share no
// count. A file keeps them over restarts; what came since it was written last is forgotten by a
// crash, so that a site gets some seconds' worth too much and never too little.
type quotas struct {
	path string // of the file; "" is none
	log  *slog.Logger

	mu      sync.Mutex // guards what follows, and the counts
	counts  map[string]*periods
	changed bool
}

// period is what was counted in a stretch of time, in Unix seconds.
type period struct {
	From   int64 `json:"from"`
	To     int64 `json:"to"`
	Events int64 `json:"events"`
}

// periods are those of one site.
type periods struct {
	Hour  period `json:"hour"`
	Day   period `json:"day"`
	Month period `json:"month"`
}

// quotasFile is the content of the file.
type quotasFile struct {
	Version int                 `json:"version"`
	Sites   map[string]*periods `json:"sites"`
}

const (
	quotasVersion = 1
	maxQuotasFile = 256 << 20 // bytes; a million sites have less
	// quotasEvery is how often the file is written, if anything has changed.
	quotasEvery = 10 * time.Second
	// mostRetryAfter is the longest pause that a sender is asked for, in seconds: quotas change.
	mostRetryAfter = 3600
)

// openQuotas reads the counts. A file that can't be read is logged, and begun anew.
func openQuotas(path string, log *slog.Logger) *quotas {
	q := &quotas{path: path, log: log, counts: map[string]*periods{}}
	if path == "" {
		return q
	}
	text, err := smallfile.Read(path, maxQuotasFile)
	if errors.Is(err, fs.ErrNotExist) {
		return q
	}
	var file quotasFile
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err == nil && file.Version > quotasVersion {
		err = wire.Newer(file.Version, quotasVersion, quotasVersion)
	}
	if err == nil && file.Version != quotasVersion {
		err = fmt.Errorf("version %d is not %d", file.Version, quotasVersion)
	}
	if err != nil {
		log.Warn("the file of quotas can't be read: all quotas begin anew", "path", path, "err", err)
		return q
	}
	for id, p := range file.Sites {
		if p != nil {
			q.counts[id] = p
		}
	}
	return q
}

// save writes the file, if anything has changed.
func (q *quotas) save() error {
	q.mu.Lock()
	if q.path == "" || !q.changed {
		q.mu.Unlock()
		return nil
	}
	text, err := json.Marshal(quotasFile{quotasVersion, q.counts})
	q.changed = false
	q.mu.Unlock()
	if err == nil {
		err = atomicfile.Write(q.path, append(text, '\n'), 0o600)
	}
	if err != nil {
		q.mu.Lock()
		q.changed = true
		q.mu.Unlock()
		return fmt.Errorf("write the file of quotas: %w", err)
	}
	return nil
}

// keep forgets the counts of sites that have no quota any more.
func (q *quotas) keep(limited func(site string) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range q.counts {
		if !limited(id) {
			delete(q.counts, id)
			q.changed = true
		}
	}
}

// take counts an event of a site at an instant. It returns 0, or, if the quota is used up, after how
// many seconds there is a new one.
func (q *quotas) take(s *site.Site, now time.Time) (wait int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.counts[s.ID]
	if p == nil {
		p = &periods{}
		q.counts[s.ID] = p
	}
	p.at(now, s.TimeZone)
	for _, of := range [...]struct {
		period *period
		most   int64
	}{{&p.Hour, s.Quota.Hour}, {&p.Day, s.Quota.Day}, {&p.Month, s.Quota.Month}} {
		if of.most > 0 && of.period.Events >= of.most {
			wait = max(wait, of.period.To-now.Unix(), 1)
		}
	}
	if wait == 0 {
		p.add(1)
		q.changed = true
	}
	return wait
}

// give takes back an event that take has counted: it was not taken in.
func (q *quotas) give(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.counts[id]; p != nil {
		p.add(-1)
		q.changed = true
	}
}

func (p *periods) add(n int64) {
	for _, of := range [...]*period{&p.Hour, &p.Day, &p.Month} {
		of.Events = max(of.Events+n, 0)
	}
}

// at begins the periods anew that an instant is not in.
func (p *periods) at(now time.Time, zone *time.Location) {
	unix := now.Unix()
	if !p.Hour.holds(unix) {
		from := now.Truncate(time.Hour).Unix()
		p.Hour = period{From: from, To: from + 3600}
	}
	if p.Day.holds(unix) && p.Month.holds(unix) {
		return
	}
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	if !p.Day.holds(unix) {
		p.Day = period{From: time.Date(y, m, d, 0, 0, 0, 0, zone).Unix(), To: time.Date(y, m, d+1, 0, 0, 0, 0, zone).Unix()}
	}
	if !p.Month.holds(unix) {
		p.Month = period{From: time.Date(y, m, 1, 0, 0, 0, 0, zone).Unix(), To: time.Date(y, m+1, 1, 0, 0, 0, 0, zone).Unix()}
	}
}

func (p *period) holds(unix int64) bool { return p.From <= unix && unix < p.To }

// takeQuota returns the inputs that the quotas of their sites have room for; the others are noted in
// the request, or refuse it whole where a site wants that. What it has taken is in r.quota.
func (c *Collector) takeQuota(inputs []protocol.Input, r *request, now time.Time) ([]protocol.Input, *protocol.Refusal) {
	n := 0
	for i := range inputs {
		in := &inputs[i]
		pol := r.sites.of(in).policy
		if pol.Quota.Limited() {
			if wait := c.quotas.take(pol, now); wait > 0 && pol.Quota.Refuse {
				c.giveQuota(r)
				return nil, refuseQuota(in.Site, wait)
			} else if wait > 0 {
				r.leave(in, reasonQuota)
				continue
			}
			r.quota = append(r.quota, pol.ID)
		}
		if n != i {
			inputs[n] = *in
		}
		n++
	}
	return inputs[:n], nil
}

// giveQuota takes back what takeQuota has taken.
func (c *Collector) giveQuota(r *request) {
	for _, id := range r.quota {
		c.quotas.give(id)
	}
	r.quota = r.quota[:0]
}

func refuseQuota(id string, wait int64) *protocol.Refusal {
	return &protocol.Refusal{Status: fasthttp.StatusTooManyRequests, Reason: protocol.ReasonQuota,
		RetryAfter: strconv.FormatInt(min(wait, mostRetryAfter), 10), Msg: "the quota of " + protocol.Quote(id) + " is used up"}
}

package importer

import (
	"io"
	"time"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/importer/accesslog"
	"millrace/ingest/importer/lines"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/v1"
)

const maxLine = 1 << 20 // the largest body of a request

// Reasons for which a line of events is skipped.
const (
	SkipEmpty = lines.SkipEmpty // nothing in it
	SkipSite  = "site"          // of another site than the one that was asked for
)

// events reads NDJSON of our own event. It belongs to one goroutine.
type events struct {
	*lines.Scanner
	site   string
	id     *identity.Identity
	rules  func(site string) identity.Rule
	parser protocol.Parser
	rank   accesslog.Ranker
	now    event.Time // events of the future are refused

	ev event.Event
}

func newEvents(in io.Reader, site string, id *identity.Identity, rules func(site string) identity.Rule, rank accesslog.Ranker) (*events, error) {
	if site != "" {
		if err := event.ValidSite(site); err != nil {
			return nil, err
		}
	}
	s := &events{site: site, id: id, rules: rules, rank: rank, now: event.TimeOf(time.Now())}
	s.Scanner = lines.NewScanner(in, maxLine, s.take)
	return s, nil
}

func (s *events) Event() *event.Event { return &s.ev }

// take makes s.ev the event of a line.
func (s *events) take(line []byte, _ bool) (skip, fault string) {
	line = canonical(Events, line)
	inputs, err := v1.Parse(&s.parser, line, true, s.now)
	switch {
	case err != nil:
		return "", err.Error()
	case len(inputs) != 1 || line[0] != '{':
		return "", "a line holds one event, this is an array"
	case inputs[0].Time == 0:
		return "", "ts: is missing"
	case s.site != "" && inputs[0].Site != s.site:
		return SkipSite, ""
	}
	in := &inputs[0]
	from := protocol.Sender{Client: accesslog.Client, Server: accesslog.Client + event.ServerSuffix}
	in.Complete(s.id, s.rules(in.Site), &from, nil, in.Time) // an import has all salts
	in.Received = in.Time
	if in.ID == "" {
		in.ID = accesslog.LineID(s.id.Digest(in.Site, line), s.rank(line))
	}
	s.ev = in.Event
	return "", ""
}

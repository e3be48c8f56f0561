package accesslog

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/importer/lines"
)

// MaxLine is the longest line that is read, in bytes; Apache's own limits keep lines below 30 KiB.
const MaxLine = 64 << 10

// Scanner reads a log line by line. Scan moves to the next event.
type Scanner struct {
	*lines.Scanner
	site     string
	id       *identity.Identity
	rule     identity.Rule
	rank     Ranker
	signs    signs
	ev       event.Event
	excludes Excludes // may be nil
}

// Excludes returns why a line that is a pageview is left out all the same, "" if it is not. Vhost is
// "" where the line has none; it may have a port.
type Excludes func(client, vhost, target string) (reason string)

// Ranker returns how many lines equal to this one the file has before it.
type Ranker func(line []byte) int64

// NewScanner returns a Scanner over the log of a site. The error is event.ErrSite.
func NewScanner(in io.Reader, site string, id *identity.Identity, rule identity.Rule, rank Ranker) (*Scanner, error) {
	if err := event.ValidSite(site); err != nil {
		return nil, err
	}
	s := &Scanner{site: site, id: id, rule: rule, rank: rank}
	s.Scanner = lines.NewScanner(in, MaxLine, s.take)
	return s, nil
}

// Exclude sets what is left out, nil for nothing. It is to be called before the first Scan.
func (s *Scanner) Exclude(e Excludes) { s.excludes = e }

// take makes s.ev the event of a line.
func (s *Scanner) take(raw []byte, ended bool) (skip, fault string) {
	l, fault := parse(raw, ended)
	if fault != "" {
		return "", fault
	}
	s.signs.note(&l)
	skip = l.skip()
	if skip == "" && s.excludes != nil {
		skip = s.excludes(l.host, l.vhost, l.target)
	}
	if skip == "" {
		s.set(raw, &l)
	}
	return skip, ""
}

// parse reads the line; fault is what is wrong with it.
func parse(raw []byte, ended bool) (l line, fault string) {
	if bytes.IndexByte(raw, '\r') >= 0 {
		return l, "a carriage return within the line: its lines end in CR alone, or it is damaged"
	}
	l, err := parseLine(raw)
	switch {
	case err != nil:
		return l, err.Error()
	case !ended && !l.whole():
		return l, "cut off at the end of the file: import it again when the line is whole"
	}
	return l, ""
}

// Event returns the event that Scan moved to. Its strings are its own; the struct is overwritten by the next Scan.
func (s *Scanner) Event() *event.Event { return &s.ev }

// Signs returns what the lines show of being another site's.
func (s *Scanner) Signs() Signs { return s.signs.of(s.site) }

// Err returns the reader's error, nil at a clean end.
func (s *Scanner) Err() error {
	if err := s.Scanner.Err(); err != nil {
		return fmt.Errorf("read line %d: %w", s.Summary().Lines+1, err)
	}
	return nil
}

// Client is the value of event.Event.Client of what is imported.
const Client = "import"

func (s *Scanner) set(raw []byte, l *line) {
	ua := identity.Clean(dash(l.ua), identity.MaxUA)
	s.ev = event.Event{
		ID:       LineID(s.id.Digest(s.site, raw), s.rank(raw)),
		Site:     s.site,
		Name:     event.Pageview,
		Time:     l.time,
		Received: l.time,
		URL:      identity.Clean("https://"+s.site+l.target, MaxLine),
		Referrer: identity.Clean(dash(l.referrer), MaxLine),
		UA:       ua,
		Country:  identity.HostCountry(l.host),
		Client:   Client,
	}
	m := identity.Moment{At: l.time, Now: l.time, Zone: s.rule.Zone}
	s.ev.Visitor, s.ev.VisitorPrev, _ = s.id.HostVisitor(s.site, l.host, ua, m) // an import has all salts
}

// LineID is the id of the event of a line: a digest of the line and its rank, the number of equal lines before it in its file.
// Builds before gave it the line's number, behind a hyphen; package replay knows both.
func LineID(digest string, rank int64) string {
	return string(strconv.AppendInt(append([]byte(digest), '.'), rank, 10))
}

// dash returns s, and "" for the "-" that stands for an absent field.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

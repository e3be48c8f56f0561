package arrivals

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// Kept is how many entries are remembered of stored events, and of all others.
const Kept = 1000

// Outcomes of an entry.
const (
	Stored  = "stored"  // in Kafka
	Dropped = "dropped" // answered like a stored one, and not counted
	Refused = "refused" // answered with an error
)

// Limits of texts in bytes.
const (
	mostSite    = 100
	mostName    = 60
	mostPage    = 160
	mostField   = 40
	mostMessage = 160
)

// Entry is what has become of some events of a request.
type Entry struct {
	At event.Time
	// Protocol and Path are those of the endpoint; Outcome and Reason say what has become of the
	// events. They are kept as they are, so they must not be views.
	Protocol, Path, Outcome, Reason string
	// Status is that of a refusal.
	Status int
	// Events is how many there are; 0 of a refusal before they were read.
	Events int
	// Trusted says that the sender may say more of an event than others.
	Trusted bool
	// Adjusted are the fields of the request that were cut or left out.
	Adjusted protocol.Fields
	// Site, Name and URL are those of the first event. Field and Message are a refusal's. They are
	// copied as far as they are kept.
	Site, Name, URL, Field, Message string
}

// Log is a number of last entries. New makes one.
type Log struct{ stored, others ring }

// ring has the last entries. Each has a place of its own, so that writers meet only if one is
// overtaken by Kept others.
type ring struct {
	next  atomic.Uint64
	slots [Kept]slot
}

type slot struct {
	mu    sync.Mutex // guards the rest
	entry Entry      // without the texts
	text  []byte     // the texts, one behind the other
	ends  [5]int
}

// New returns an empty log.
func New() *Log {
	l := &Log{}
	for _, r := range []*ring{&l.stored, &l.others} {
		for i := range r.slots {
			r.slots[i].text = make([]byte, 0, mostSite+mostName+mostPage+mostField+mostMessage)
		}
	}
	return l
}

// Add remembers an entry.
func (l *Log) Add(e *Entry) {
	r := &l.others
	if e.Outcome == Stored {
		r = &l.stored
	}
	s := &r.slots[(r.next.Add(1)-1)%Kept]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry = *e
	s.entry.Site, s.entry.Name, s.entry.URL, s.entry.Field, s.entry.Message = "", "", "", "", ""
	s.text = s.text[:0]
	s.put(0, e.Site, mostSite)
	s.put(1, e.Name, mostName)
	s.put(2, pageOf(e.URL), mostPage)
	s.put(3, e.Field, mostField)
	if before, after, quotes := unquoted(e.Message); quotes && e.Reason != string(protocol.ReasonSite) {
		s.text = append(s.text, cut(before, mostMessage/2)...)
		s.text = append(s.text, "…"...)
		s.put(4, after, mostMessage/2-len("…"))
	} else {
		s.put(4, e.Message, mostMessage)
	}
}

func (s *slot) put(i int, text string, most int) {
	s.text = append(s.text, cut(text, most)...)
	s.ends[i] = len(s.text)
}

// cut returns at most so many bytes of a text, and whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// pageOf returns host and path of an address.
func pageOf(url string) string {
	if i := strings.IndexByte(url, '?'); i >= 0 {
		url = url[:i]
	}
	if i := strings.IndexByte(url, '#'); i >= 0 {
		url = url[:i]
	}
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	authority := url
	if i := strings.IndexByte(url, '/'); i >= 0 {
		authority = url[:i]
	}
	return url[strings.LastIndexByte(authority, '@')+1:]
}

// unquoted returns what of a message is before and behind everything that it quotes. A message that
// was cut short (protocol.Clip) may end within a quotation: then there is nothing behind it.
func unquoted(msg string) (before, after string, quotes bool) {
	first, last := strings.IndexByte(msg, '"'), strings.LastIndexByte(msg, '"')
	switch short := strings.HasSuffix(msg, "…"); {
	case first >= 0 && short:
		return msg[:first+1], "", true
	case first == last: // none, or one alone
		return msg, "", false
	}
	return msg[:first+1], msg[last:], true
}

// Filter selects entries; a field that is "" selects all.
type Filter struct{ Site, Protocol, Reason, Outcome string }

func (f *Filter) matches(e *Entry) bool {
	return (f.Site == "" || f.Site == e.Site) && (f.Protocol == "" || f.Protocol == e.Protocol) &&
		(f.Reason == "" || f.Reason == e.Reason) && (f.Outcome == "" || f.Outcome == e.Outcome)
}

// Last returns the entries that a filter selects, the youngest first.
func (l *Log) Last(f Filter) []Entry {
	var all []Entry
	for _, r := range []*ring{&l.stored, &l.others} {
		next := r.next.Load()
		for n := range min(next, Kept) {
			if e := r.slots[(next-1-n)%Kept].get(); e.Outcome != "" && f.matches(&e) {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(b.At, a.At) })
	return all
}

func (s *slot) get() Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, text, from := s.entry, string(s.text), 0
	for i, to := range []*string{&e.Site, &e.Name, &e.URL, &e.Field, &e.Message} {
		*to, from = text[from:s.ends[i]], s.ends[i]
	}
	return e
}

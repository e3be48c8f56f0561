package accesslog

import (
	"strings"
)

// maxTally bounds the memory of a tally: names that come after so many others are not among them.
const maxTally = 1000

// tally counts names.
type tally struct {
	of  map[string]int64
	all int64
}

func (t *tally) add(name string) {
	t.all++
	if _, ok := t.of[name]; !ok {
		if len(t.of) >= maxTally {
			return
		}
		if t.of == nil {
			t.of = map[string]int64{}
		}
		name = strings.Clone(name)
	}
	t.of[name]++
}

// top returns the name that was counted most, of several the first.
func (t *tally) top() (name string, n int64) {
	for k, c := range t.of {
		if c > n || c == n && k < name {
			name, n = k, c
		}
	}
	return name, n
}

// Signs are what a log shows of being another site's, or of lacking its clients. They are counted over all lines
// that could be read.
type Signs struct {
	// Lines were looked at.
	Lines int64
	// Inner lines have a client that is not on the internet: where that is nearly all, the log has the proxy's
	// address.
	Inner int64
	// Vhost is the virtual host other than the site that most lines have; Vhosts is how many.
	Vhost  string
	Vhosts int64
	// Referrer is the host that most referrers name, if that is not the site; Referrers is how many do, of AllReferrers. A
	// page's own files have it as referrer.
	Referrer                string
	Referrers, AllReferrers int64
}

// signs keeps what Signs are made of.
type signs struct {
	lines, inner      int64
	vhosts, referrers tally
}

func (s *signs) note(l *line) {
	s.lines++
	if a, ok := parseAddress(l.host); ok && isInner(a) {
		s.inner++
	}
	if name, _, _ := strings.Cut(l.vhost, ":"); isHostName(name) {
		s.vhosts.add(bareName(name))
	}
	if host := referrerHost(l.referrer); host != "" && l.status < 400 {
		s.referrers.add(host)
	}
}

func (s *signs) of(site string) Signs {
	site = bareName(site)
	r := Signs{Lines: s.lines, Inner: s.inner, AllReferrers: s.referrers.all}
	if host, n := s.referrers.top(); host != site {
		r.Referrer, r.Referrers = host, n
	}
	delete(s.vhosts.of, site)
	r.Vhost, r.Vhosts = s.vhosts.top()
	return r
}

// bareName returns a host's name as sites are told apart: in small letters and without www.
func bareName(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }

// referrerHost returns the host of a referrer, "" if it has none that is a name.
func referrerHost(referrer string) string {
	_, host, ok := strings.Cut(referrer, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	host, _, _ = strings.Cut(host[strings.LastIndexByte(host, '@')+1:], ":")
	if !isHostName(host) {
		return ""
	}
	return bareName(host)
}

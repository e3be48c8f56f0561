package site

import (
	"time"
)

// MaxShards bounds Site.Shards: the part that a visitor is in does not change with the day, so few
// visitors must not be in each.
const MaxShards = 256

// Site is what is configured of one site.
type Site struct {
	// ID is the site's id, valid under event.ValidSite.
	ID string
	// Named is set for sites whose events are taken by name. Where any site is taken, those of
	// others are taken too, as far as the bound of new sites allows.
	Named bool

	// Shards spreads the site over that many parts by visitor, each of which has a partition (some
	// the same one): what one partition can't count. 0 and 1 mean one, at most MaxShards. A
	// visitor's part is the same on all days, so that visits survive midnight, and for a reader of
	// the log it says as much about who is who from day to day: more than some dozens say too much.
	Shards uint16
	// Tokens are what trackers name the site by whose protocols have no names of sites: a project's
	// key, a number. No two sites have one in common. The file of sites has them as aliases.
	Tokens []string
	// HonourDNT drops events of browsers that send "DNT: 1" or "Sec-GPC: 1".
	HonourDNT bool
	// ClientIDs tells visitors apart by the ids that their trackers keep in browsers, where an event
	// has one: `identity: client-id` in the file. False is cookieless.
	ClientIDs bool
	// Objections is what becomes of the events of those who object.
	Objections Objections
	// TimeZone is the zone of days and hours in answers, and its midnight ends cookieless ids.
	TimeZone *time.Location
	// Goals are what the site wants its visitors to do, at most MaxGoals.
	Goals []Goal
	// Currency is the only one in which revenue counts as such; "" takes all.
	Currency string
	// Spelling says which paths are one page.
	Spelling Spelling
	// Bots is what programs count as.
	Bots Bots
	// Retention is for how many days before today numbers are kept; 0 keeps all.
	Retention int
	// Segments are filters of queries that are known by a number, at most MaxSegments.
	Segments []Segment
	// Senders are who may send, and what is left out.
	Senders
}

// Objections is what becomes of the events of visitors who object to being recognised: by a browser
// that sends "DNT: 1" or "Sec-GPC: 1", or by a tracker whose consent was refused.
type Objections string

// The values of Site.Objections.
const (
	Cookieless Objections = ""       // the id of their client is not taken
	Drop       Objections = "drop"   // they are dropped
	Ignore     Objections = "ignore" // they are as all others: the page has asked by itself
)

// Bots is what the events of programs count as.
type Bots string

// The values of Site.Bots.
const (
	BotsApart   Bots = ""      // by reason, and in nothing else
	BotsCounted Bots = "count" // as people
	BotsDropped Bots = "drop"  // in nothing; log and archive have them
)

// Sites is what is configured of all sites.
type Sites struct {
	// Any takes events of sites that are not named.
	Any bool
	// Default is what a site has that has nothing of its own. It has no id.
	Default Site
	// WriteKeys are the keys of trusted senders.
	WriteKeys Keys
	// QueryKeys are those of the query API. Without any, OpenQueries lets everyone query, and else
	// only the machine itself may.
	QueryKeys   Keys
	OpenQueries bool

	names []string // of the named sites, as often as they are named
	named []Site
	list  []Site // all with settings of their own
	index map[string]int
}

// newSites returns sites of which there are none yet.
func newSites() *Sites {
	return &Sites{WriteKeys: NewKeys(), QueryKeys: NewKeys(), index: map[string]int{}}
}

// Of returns the settings of a site, the default ones under its id if it has none of its own.
func (s *Sites) Of(id string) Site {
	if i, ok := s.index[id]; ok {
		return s.list[i]
	}
	d := s.Default
	d.ID = id
	return d
}

// Named returns the sites whose events are taken by name, in the order of the configuration. A site
// that is named twice is in it twice. The caller must not change them.
func (s *Sites) Named() []Site { return s.named }

// All returns all sites that have settings of their own. The caller must not change them.
func (s *Sites) All() []Site { return s.list }

// at returns the settings of a site, which are the default ones if it had none.
func (s *Sites) at(id string) *Site {
	i, ok := s.index[id]
	if !ok {
		i = len(s.list)
		s.list = append(s.list, s.Of(id))
		s.index[id] = i
	}
	return &s.list[i]
}

// name takes the events of a site by name.
func (s *Sites) name(id string) {
	s.at(id).Named = true
	s.names = append(s.names, id)
}

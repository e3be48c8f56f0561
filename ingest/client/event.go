package client

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// PageView is the name of a view of a page. Any other name is an event of the sender's own.
const PageView = "pageview"

// Event is one event. Name is needed, and Site where Options have none. docs/events.md has the
// lengths; a collector refuses an event with a field that is longer.
type Event struct {
	Site string `json:"site"`
	Name string `json:"name"`
	// URL is the full address of the page; Referrer that of the page before.
	URL      string `json:"url,omitempty"`
	Referrer string `json:"referrer,omitempty"`
	Language string `json:"language,omitempty"` // of the visitor: "de-AT"
	Screen   string `json:"screen,omitempty"`   // "1280x720"
	// Props are texts, numbers and booleans.
	Props   map[string]any `json:"props,omitempty"`
	Revenue *Revenue       `json:"revenue,omitempty"`
	// NonInteractive says that the event is not the visitor's doing: a visit with one page view and
	// nothing but such events is a bounce. Not for page views.
	NonInteractive bool `json:"-"`

	// IP and UserAgent are the visitor's, by which he is told from others where neither Visitor nor
	// ClientID says who he is. FromRequest fills them in. Events without them have one visitor in
	// common: this program.
	IP        netip.Addr `json:"ip,omitzero"`
	UserAgent string     `json:"ua,omitempty"`
	// Visitor is a name of the visitor, such as the number of his account: with it he is the same on
	// all days and devices. ClientID is the id that the page keeps for him, on sites with identity:
	// client-id. docs/identity.md has what each means.
	Visitor  string `json:"visitor,omitempty"`
	ClientID string `json:"client_id,omitempty"`

	// ID makes sending again harmless: of two events with one id, within ten minutes, one counts.
	// Default: a random one.
	ID string `json:"id,omitempty"`
	// Time is when the event was. Default: when it is tracked.
	Time time.Time `json:"ts,omitzero"`
}

// Revenue is what an event has earned, negative for a refund.
type Revenue struct {
	Amount   float64
	Currency string // ISO 4217: "EUR"
}

// MarshalJSON writes the amount without an exponent, which collectors do not take.
func (r Revenue) MarshalJSON() ([]byte, error) {
	if math.IsNaN(r.Amount) || math.IsInf(r.Amount, 0) {
		return nil, fmt.Errorf("a revenue of %v", r.Amount)
	}
	b := append([]byte(nil), `{"amount":`...)
	b = strconv.AppendFloat(b, r.Amount, 'f', -1, 64)
	currency, err := json.Marshal(r.Currency)
	if err != nil {
		return nil, err
	}
	return append(append(append(b, `,"currency":`...), currency...), '}'), nil
}

// wire is an event as the collector reads it.
type wire struct {
	Event
	Interactive *bool `json:"interactive,omitempty"`
}

// item is an event that waits to be sent.
type item struct {
	site string
	json []byte
	at   time.Time // when it was tracked
}

func (it *item) size() int64 { return int64(len(it.json)) + itemOverhead }

// encode returns the item of an event, with id and time.
func encode(e Event, site string) (item, error) {
	at := time.Now()
	if e.Site == "" {
		e.Site = site
	}
	switch {
	case e.Site == "":
		return item{}, errors.New("an event without a site, and Options have none")
	case strings.TrimSpace(e.Name) == "":
		return item{}, errors.New("an event without a name")
	}
	if e.ID == "" {
		e.ID = rand.Text()
	}
	if e.Time.IsZero() {
		e.Time = at
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	w := wire{Event: e}
	if e.NonInteractive {
		w.Interactive = new(bool)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // addresses are full of &
	if err := enc.Encode(w); err != nil {
		return item{}, fmt.Errorf("encode event %q: %w", e.Name, err)
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
	if len(text) > mostBody-2 {
		return item{}, fmt.Errorf("event %q has %d bytes, at most %d are sent", e.Name, len(text), mostBody-2)
	}
	return item{site: e.Site, json: bytes.Clone(text), at: at}, nil
}

// decode returns the events of items, for OnError.
func decode(items []item) []Event {
	events := make([]Event, 0, len(items))
	for _, it := range items {
		var w wire
		if err := json.Unmarshal(it.json, &w); err != nil {
			panic("BUG: an event can't be read that was written: " + err.Error())
		}
		w.NonInteractive = w.Interactive != nil && !*w.Interactive
		events = append(events, w.Event)
	}
	return events
}

package plausible

import (
	"strconv"
	"strings"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/internal/spelling"
	"millrace/internal/strictjson"
)

// engagement is the name of the reports that Plausible's tracker sends while a page is read, and
// when it is left.
const engagement = "engagement"

// body is a body of POST /api/event as it is read.
type body struct {
	*protocol.Parser
	in      *protocol.Input // the first of the parser's
	domains string
	depth   bool // sd or e was given, whatever its value
	msec    bool
	// version reports that the tracker named its version, which those do that wait with a view until
	// the page is shown.
	version bool
	unfit   []string // what is no site's id among the domains
}

// read reads a body of POST /api/event, which t has begun to read: Plausible's events API, with long or one-letter keys. The
// parser then has one input per site of the comma list of domains. Unknown keys are passed over:
// the trackers send some that no server reads. The source is Plausible's documentation and what its
// clients were measured to send.
//
// A report named "engagement" is a ping, not an event. What can't be used is adjusted.
func (b *body) read(t *strictjson.Parser, text []byte) error {
	if b.stream(t) {
		return nil
	}
	*b = body{Parser: b.Parser}
	b.Reset()
	return b.whole(text)
}

// bitOf returns a bit for each key that stream reads. One that is not among them, 0, is left to whole,
// which sees to it that no key comes twice.
func bitOf(key string) uint32 {
	switch key {
	case "n":
		return 1 << 0
	case "u":
		return 1 << 1
	case "d":
		return 1 << 2
	case "r":
		return 1 << 3
	case "p":
		return bitProps
	case "v":
		return 1 << 5
	case "w":
		return 1 << 6
	case "h":
		return 1 << 7
	case "i":
		return 1 << 8
	case "e":
		return 1 << 9
	case "sd":
		return 1 << 10
	case "m":
		return 1 << 11
	case "$":
		return 1 << 12
	case "id":
		return 1 << 13
	case "name":
		return 1 << 14
	case "url":
		return 1 << 15
	case "domain":
		return 1 << 16
	case "referrer":
		return 1 << 17
	case "props":
		return 1 << 18
	case "revenue":
		return 1 << 19
	case "interactive":
		return 1 << 20
	}
	return 0
}

const bitProps = 1 << 4

// The beginnings of properties, and of a text whose key is a letter, which is 0 there.
var (
	wordProps  = strictjson.WordOf(`"p":{`)
	wordLetter = strictjson.WordOf("\"\x00\":\"")
)

// stream reads a body with which nothing is wrong, as of nearly all. What it does not read is read anew
// by whole.
func (b *body) stream(t *strictjson.Parser) bool {
	if !t.Take('{') {
		return false
	}
	b.in = b.Next()
	seen := uint32(0)
	for more := true; more; more = t.Take(',') {
		i := t.Pos()
		word := t.Word(i) & (1<<40 - 1)
		if word == wordProps {
			if props, raw, end := b.PlainProps(t, i+4); end > 0 {
				b.in.Props, b.in.PropsText = props, raw
				t.Seek(end)
				seen |= bitProps // PlainProps reads them once
				continue
			}
		}
		key, v := "", (*strictjson.Value)(nil)
		if word&^(0xff<<8) == wordLetter {
			key, v = t.PlainField(i, i+5)
		}
		if v == nil {
			key, v = t.Field()
		}
		bit := bitOf(key)
		if bit == 0 || seen&bit != 0 {
			return false
		}
		seen |= bit
		if b.field(key, v); b.Err() != nil {
			return false
		}
	}
	if !t.Take('}') || !t.Ended() {
		return false
	}
	b.event()
	if b.Err() == nil {
		b.sites()
	}
	return b.Err() == nil
}

// whole reads a body that stream does not, or finds out what is wrong with it.
func (b *body) whole(text []byte) error {
	root, wrong := b.Document(text)
	if wrong != nil {
		return wrong
	}
	obj, err := root.Object()
	if err != nil {
		return protocol.BadField("body", "a JSON %s, want an object", root.Type())
	}
	b.in = b.Next()
	obj.Visit(func(key []byte, v *strictjson.Value) {
		if b.Err() == nil {
			b.field(string(key), v)
		}
	})
	if b.Err() == nil {
		b.event()
	}
	if b.Err() == nil {
		b.sites()
	}
	if err := b.Err(); err != nil {
		return err
	}
	return nil
}

func (b *body) field(key string, v *strictjson.Value) {
	in := b.in
	switch key {
	case "n", "name":
		if !b.Once("name", protocol.FieldName) {
			return
		}
		switch v.Type() {
		case strictjson.TypeNumber:
			in.Name = b.Number(v)
		case strictjson.TypeString:
			in.Name = b.LooseNameOf(v)
		case strictjson.TypeNull:
		default:
			b.Fail("name", "a JSON %s, want a string", v.Type())
		}
	case "u", "url":
		if v.Type() != strictjson.TypeString && v.Type() != strictjson.TypeNull {
			b.Fail("url", "a JSON %s, want a string", v.Type())
			return
		}
		// One without a host is taken, as Plausible takes it: the scripts of apps and of files send such.
		in.URL = b.LooseString(in.URL, v, protocol.MaxURL, protocol.FieldURL)
		if in.URL == "" && v.Type() == strictjson.TypeString {
			in.URL = "/"
		}
		if scheme, _, ok := strings.Cut(in.URL, ":"); ok && strings.EqualFold(scheme, "data") {
			b.Fail("url", "the scheme data is not taken")
		}
	case "d", "domain":
		b.domains = b.domainList(v)
	case "r", "referrer":
		in.Referrer = b.LooseString(in.Referrer, v, protocol.MaxURL, protocol.FieldReferrer)
	case "p", "props", "m", "meta":
		if b.First(protocol.FieldProps) {
			if v = b.Nested(v, 0, protocol.FieldProps); v != nil {
				b.LooseProps(v)
				in.Props = b.SortedProps()
			}
		}
	case "$", "revenue":
		if b.First(protocol.FieldRevenue) {
			if v = b.Nested(v, 1, protocol.FieldRevenue); v != nil {
				b.Revenue(in, v, false)
				b.Forgiven(protocol.FieldRevenue)
			}
		}
	case "i", "interactive":
		// What is no boolean means true, as Plausible reads it.
		in.NonInteractive = v.Type() == strictjson.TypeFalse
	case "h", "hashMode":
		in.HashRoute = truthy(v)
	case "w", "screen_width":
		// Only its width is known; screen classes go by the width.
		if n, ok := b.LooseNumber(v, 999_999, protocol.FieldScreen); ok && n > 0 {
			in.Screen = b.Keep(strconv.FormatInt(n, 10) + "x0")
		}
	case "sd":
		n, ok := b.LooseNumber(v, 100, protocol.FieldEngagement)
		if b.depth = v.Type() != strictjson.TypeNull; ok {
			in.Scroll = event.PercentOf(n)
		}
	case "e":
		n, ok := b.LooseNumber(v, float64(maxEngaged), protocol.FieldEngagement)
		if b.msec = v.Type() != strictjson.TypeNull; ok {
			in.Engaged = event.Time(n)
		}
	case "id":
		b.id(v)
	case "v", "version":
		b.version = v.Type() != strictjson.TypeNull
	}
}

// id reads the id of an event, which Plausible's own trackers do not send: a text, or a number as
// Millrace's page script has it.
func (b *body) id(v *strictjson.Value) {
	id := ""
	switch v.Type() {
	case strictjson.TypeNumber:
		id = b.Number(v)
	case strictjson.TypeString:
		s, _ := v.StringBytes()
		id = protocol.View(s)
	case strictjson.TypeNull:
	default:
		b.Adjust(protocol.FieldID)
	}
	if !v.Plain() {
		b.NotPlain()
	}
	if b.First(protocol.FieldID) {
		b.in.ID = b.LooseID(id)
	}
}

// domainList returns the list of domains, in which controls are blanks.
func (b *body) domainList(v *strictjson.Value) string {
	const most = 10 * (event.MaxSiteLen + 1)
	if v.Type() != strictjson.TypeString {
		return b.String(v, "domain", protocol.FieldSite, most)
	}
	if !b.Once("domain", protocol.FieldSite) {
		return ""
	}
	list, _ := v.StringBytes()
	s := identity.CleanWords(protocol.View(list), len(list))
	b.Check("domain", protocol.CheckText(s, most))
	return s
}

// maxEngaged is the longest time in use that a ping may report: no visit is longer than a month.
const maxEngaged = 31 * 24 * event.Hour

// truthy reports whether a flag is set: the trackers send 1 and 0, libraries true and false.
func truthy(v *strictjson.Value) bool {
	switch v.Type() {
	case strictjson.TypeTrue:
		return true
	case strictjson.TypeNumber:
		n, err := v.Float64()
		return err == nil && n != 0
	case strictjson.TypeString:
		b, _ := v.StringBytes()
		return string(b) == "1" || string(b) == "true"
	}
	return false
}

func (b *body) event() {
	in := b.in
	switch {
	case in.Name == "":
		b.Fail("name", "is missing")
	case in.URL == "":
		b.Fail("url", "is missing")
	case strings.Trim(b.domains, ", ") == "":
		b.domains = protocol.HostOf(in.URL)
	}
	switch {
	case in.Name == event.Pageview:
		in.NonInteractive = false // what it sends with any event is of no meaning for a view
	case in.Name == engagement && !b.depth && !b.msec:
		b.Fail("sd", "an engagement event needs sd or e")
	}
	if in.Name == engagement {
		// Non-interactive for engines of before pings, which take it for an event.
		in.Ping, in.NonInteractive = true, true
		return
	}
	in.Engaged, in.Scroll = 0, 0
}

// sites makes the input one for each site of the domains.
func (b *body) sites() {
	b.in.Plain = b.Plain()
	none := true
	for domains := b.domains; domains != ""; {
		site, rest, _ := strings.Cut(domains, ",")
		domains = rest
		site = spelling.ASCII(strings.TrimSpace(site))
		switch {
		case site == "":
		case protocol.CheckSite(site) != "":
			b.unfit = append(b.unfit, site)
		default:
			if !none {
				b.Add(b.Inputs()[0])
			}
			inputs := b.Inputs()
			inputs[len(inputs)-1].Site, none = site, false
		}
	}
	switch {
	case !none:
	case len(b.unfit) > 0:
		b.Fail("domain", "%s", protocol.CheckSite(b.unfit[0]))
	default:
		b.Fail("domain", "is missing")
	}
}

package ingest

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"github.com/valyala/fastjson"

	"millrace/engine/event"
)

const (
	// MaxEvents is the most events of one request.
	MaxEvents = 1000
	// maxAhead is how far a trusted event time may lie in the future: clocks differ, time zones must not.
	maxAhead = 60 * event.Second
	// minTime is 1995-01-01. An earlier event time is one in seconds.
	minTime event.Time = 788_918_400_000
)

// Input is one event as its sender describes it: of Event the fields ID, Site, Name, Time (0 if not given), URL, Referrer,
// UA, Language, Screen, Props, Amount, Currency and NonInteractive, each "" or empty if not given.
//
// Its strings are views into the Parser's memory and into the body, and are valid until the next Parse.
type Input struct {
	event.Event
	// IP is the address a trusted caller gives for its visitor; the zero Addr if it does not.
	IP netip.Addr
	// Named is the visitor's name as a trusted caller gives it.
	Named string

	// Shards is how many parts the site is spread over, set before Complete; 0 and 1 are one.
	Shards uint16
	// Shard is the part that the visitor is in, set by Complete. It is the same on all days.
	Shard uint16
}

// Parser reads bodies of POST /v1/events. It reuses its memory, so it belongs to one goroutine at a time. The zero
// value is ready.
type Parser struct {
	json   fastjson.Parser
	sub    [2]fastjson.Parser // of JSON within strings: Plausible's props and revenue
	inputs []Input
	props  []event.Prop
	arena  []byte

	err  *fieldError
	seen uint32 // the fields of the event at hand, by their bit
}

// fieldError says what is wrong with which field.
type fieldError struct{ path, msg string }

func (e *fieldError) Error() string {
	if e.path == "" {
		return e.msg
	}
	return e.path + ": " + e.msg
}

func badField(path, format string, args ...any) *fieldError {
	return &fieldError{path, fmt.Sprintf(format, args...)}
}

// Parse reads a body that is one event, a JSON array of events, or NDJSON, which it tells by the content. Either all of its
// events are valid or the error names the first that is not: "events[3].props: …", "line 2: url: …". Ts, ip, ua and
// visitor are refused unless the sender is trusted; a time more than a minute after now always is.
//
// The inputs are valid until the next Parse.
func (p *Parser) Parse(body []byte, trusted bool, now event.Time) ([]Input, error) {
	p.reset()
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, badField("", "the body is empty")
	}
	root, err := p.json.ParseBytes(body)
	if err != nil {
		if body[0] == '{' && bytes.IndexByte(body, '\n') >= 0 {
			return p.lines(body, trusted, now, err)
		}
		return nil, syntaxError(err)
	}
	if root.Type() != fastjson.TypeArray {
		if err := p.event(root, trusted, now); err != nil {
			return nil, err
		}
		return p.inputs, nil
	}
	list, _ := root.Array()
	switch {
	case len(list) == 0:
		return nil, badField("", "the array has no events")
	case len(list) > MaxEvents:
		return nil, badField("", "%d events, at most %d are allowed in a request", len(list), MaxEvents)
	}
	for i, v := range list {
		if err := p.event(v, trusted, now); err != nil {
			path := "events[" + strconv.Itoa(i) + "]"
			if err.path != "" {
				path += "." + err.path
			}
			return nil, &fieldError{path, err.msg}
		}
	}
	return p.inputs, nil
}

// lines reads NDJSON. Whole is the error of the body read as one value: if not even the first line is a value, the
// body was meant to be one value and that error is the better one.
func (p *Parser) lines(body []byte, trusted bool, now event.Time, whole error) ([]Input, error) {
	whole = syntaxError(whole) // its text refers to memory that the next parse overwrites
	for n := 1; len(body) > 0; n++ {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(p.inputs) == MaxEvents {
			return nil, badField("", "more than %d events, which is the most that are allowed in a request", MaxEvents)
		}
		path := "line " + strconv.Itoa(n)
		v, err := p.json.ParseBytes(line)
		if err != nil {
			if n == 1 {
				return nil, whole
			}
			return nil, &fieldError{path, syntaxError(err).Error()}
		}
		if err := p.event(v, trusted, now); err != nil {
			return nil, &fieldError{path, err.Error()}
		}
		p.own(&p.inputs[len(p.inputs)-1])
	}
	return p.inputs, nil
}

func (p *Parser) reset() {
	p.inputs, p.props, p.arena = p.inputs[:0], p.props[:0], p.arena[:0]
}

// event reads one event and adds it to p.inputs.
func (p *Parser) event(v *fastjson.Value, trusted bool, now event.Time) *fieldError {
	obj, err := v.Object()
	if err != nil {
		return badField("", "an event is a JSON object, this is a JSON %s", v.Type())
	}
	p.inputs = append(p.inputs, Input{})
	in := &p.inputs[len(p.inputs)-1]
	p.err, p.seen = nil, 0
	obj.Visit(func(key []byte, v *fastjson.Value) {
		if p.err == nil {
			p.field(in, key, v, trusted, now)
		}
	})
	switch {
	case p.err != nil:
		return p.err
	case in.Site == "":
		return badField("site", "is missing")
	case in.Name == "":
		return badField("name", "is missing")
	}
	p.checkInteractive(in)
	if p.err != nil {
		return p.err
	}
	return nil
}

// Bits of Parser.seen. JSON leaves open which of two equal keys counts; Millrace does not.
const (
	bitID = 1 << iota
	bitSite
	bitName
	bitURL
	bitReferrer
	bitLanguage
	bitScreen
	bitProps
	bitRevenue
	bitTime
	bitIP
	bitUA
	bitVisitor
	bitInteractive
)

func (p *Parser) field(in *Input, key []byte, v *fastjson.Value, trusted bool, now event.Time) {
	switch string(key) {
	case "id":
		in.ID = p.str(v, "id", bitID, maxID)
	case "site":
		in.Site = p.str(v, "site", bitSite, event.MaxSiteLen)
		p.check("site", checkSite(in.Site))
	case "name":
		in.Name = p.str(v, "name", bitName, maxName)
	case "url":
		in.URL = p.str(v, "url", bitURL, maxURL)
		p.check("url", checkURL(in.URL))
	case "referrer":
		in.Referrer = p.str(v, "referrer", bitReferrer, maxURL)
	case "language":
		in.Language = p.str(v, "language", bitLanguage, maxLanguage)
	case "screen":
		in.Screen = p.str(v, "screen", bitScreen, maxScreen)
		p.check("screen", checkScreen(in.Screen))
	case "props":
		if p.once("props", bitProps) {
			in.Props = p.properties(v)
		}
	case "revenue":
		if p.once("revenue", bitRevenue) {
			p.revenue(in, v, true)
		}
	case "interactive":
		if p.once("interactive", bitInteractive) {
			p.interactive(in, v)
		}
	case "ts", "ip", "ua", "visitor":
		if !trusted {
			p.fail(string(key), "only trusted callers may send it: from the loopback interface, or with a write key")
			return
		}
		p.trustedField(in, key, v, now)
	default:
		p.fail(clip(string(key)), "unknown field")
	}
}

func (p *Parser) trustedField(in *Input, key []byte, v *fastjson.Value, now event.Time) {
	switch string(key) {
	case "ts":
		if p.once("ts", bitTime) {
			in.Time = p.time(v, now)
		}
	case "ip":
		s := p.str(v, "ip", bitIP, 64)
		if s == "" {
			return
		}
		addr, err := netip.ParseAddr(s)
		if err != nil {
			p.fail("ip", "%q is not an IP address", clip(s))
			return
		}
		in.IP = addr.Unmap().WithZone("")
	case "ua":
		in.UA = p.str(v, "ua", bitUA, maxUA)
	case "visitor":
		in.Named = p.str(v, "visitor", bitVisitor, maxVisitor)
	}
}

func (p *Parser) fail(path, format string, args ...any) {
	if p.err == nil {
		p.err = badField(path, format, args...)
	}
}

// check fails with msg unless it is "".
func (p *Parser) check(path, msg string) {
	if msg != "" {
		p.fail(path, "%s", msg)
	}
}

func (p *Parser) once(path string, bit uint32) bool {
	if p.seen&bit != 0 {
		p.fail(path, "is given twice")
		return false
	}
	p.seen |= bit
	return true
}

// str returns a view of a string value, checked; null is "".
func (p *Parser) str(v *fastjson.Value, path string, bit uint32, most int) string {
	if !p.once(path, bit) || v.Type() == fastjson.TypeNull {
		return ""
	}
	b, err := v.StringBytes()
	if err != nil {
		p.fail(path, "a JSON %s, want a string", v.Type())
		return ""
	}
	s := view(b)
	p.check(path, checkText(s, most))
	return s
}

func (p *Parser) time(v *fastjson.Value, now event.Time) event.Time {
	var t event.Time
	switch v.Type() {
	case fastjson.TypeNull:
		return 0
	case fastjson.TypeNumber:
		n, err := v.Int64()
		if err != nil {
			p.fail("ts", "%s is not a whole number of milliseconds", clip(p.number(v)))
			return 0
		}
		t = event.Time(n)
	case fastjson.TypeString:
		b, _ := v.StringBytes()
		std, err := time.Parse(time.RFC3339Nano, string(b))
		if err != nil {
			p.fail("ts", "%q is neither milliseconds nor RFC 3339, as 2026-01-31T12:00:00Z", clip(string(b)))
			return 0
		}
		t = event.TimeOf(std)
	default:
		p.fail("ts", "a JSON %s, want milliseconds or an RFC 3339 string", v.Type())
		return 0
	}
	switch {
	case t < minTime:
		p.fail("ts", "%s is before 1995: it is in milliseconds since 1970", t)
	case t > now+maxAhead:
		p.fail("ts", "%s is more than %d s in the future", t, maxAhead/event.Second)
	}
	return t
}

// own copies the strings of in out of the JSON parser, so that they outlive its next parse.
func (p *Parser) own(in *Input) {
	for _, s := range [...]*string{&in.ID, &in.Site, &in.Name, &in.URL, &in.Referrer, &in.UA, &in.Language,
		&in.Screen, &in.Currency, &in.Named} {
		*s = p.keep(*s)
	}
	for i := range in.Props {
		in.Props[i].Key, in.Props[i].Value = p.keep(in.Props[i].Key), p.keep(in.Props[i].Value)
	}
}

// keep copies s into the arena. Strings handed out before the arena moves keep its old memory.
func (p *Parser) keep(s string) string {
	start := len(p.arena)
	p.arena = append(p.arena, s...)
	return view(p.arena[start:])
}

// number returns the text of a number as it was sent.
func (p *Parser) number(v *fastjson.Value) string {
	start := len(p.arena)
	p.arena = v.MarshalTo(p.arena)
	return view(p.arena[start:])
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func syntaxError(err error) error { return badField("", "not JSON: %s", clipN(err.Error(), 160)) }

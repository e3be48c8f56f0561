package v1

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// blanks may stand around a value of JSON (RFC 8259, 2).
const blanks = " \t\r\n"

// Parse reads a body that is one event, a JSON array of events, or NDJSON, which it finds out by
// the content. Either all of its events are valid or the error names the first that is not:
// "events[3].props: …", "line 2: url: …". Ts, ip, ua and visitor are refused unless the sender is
// trusted; a time more than a minute after now always is.
//
// The inputs are in the memory of p, which Parse resets, and valid until it is reset again.
func Parse(p *protocol.Parser, body []byte, trusted bool, now event.Time) ([]protocol.Input, error) {
	p.Reset()
	r := reader{p, trusted, now}
	return r.read(p.Begin(body), body)
}

// read is Parse of a body that text has begun to read.
func (r *reader) read(text *strictjson.Parser, body []byte) ([]protocol.Input, error) {
	if r.stream(text) {
		return r.Inputs(), nil
	}
	r.Reset()
	if body = bytes.Trim(body, blanks); len(body) == 0 {
		return nil, protocol.BadField("", "the body is empty")
	}
	return r.whole(body)
}

// whole reads a body that stream does not, or finds out what is wrong with it.
func (r *reader) whole(body []byte) ([]protocol.Input, error) {
	root, err := r.JSON(body)
	if err != nil {
		if body[0] == '{' && bytes.IndexByte(body, '\n') >= 0 {
			return r.lines(body, err)
		}
		return nil, err
	}
	if root.Type() != strictjson.TypeArray {
		if err := r.event(root); err != nil {
			return nil, err
		}
		return r.checked(body)
	}
	list, _ := root.Array()
	switch {
	case len(list) == 0:
		return nil, protocol.BadField("", "the array has no events")
	case len(list) > protocol.MaxEvents:
		return nil, protocol.BadField("", "%d events, at most %d are allowed in a request", len(list), protocol.MaxEvents)
	}
	for i, v := range list {
		if err := r.event(v); err != nil {
			path := "events[" + strconv.Itoa(i) + "]"
			if err.Path != "" {
				path += "." + err.Path
			}
			return nil, &protocol.FieldError{Path: path, Msg: err.Msg}
		}
	}
	return r.checked(body)
}

// reader reads the events of one body.
type reader struct {
	*protocol.Parser
	trusted bool
	now     event.Time
}

// checked returns the inputs that were read from a text, or an error if it is no JSON.
func (r *reader) checked(text []byte) ([]protocol.Input, error) {
	if err := r.Strict(text); err != nil {
		return nil, err
	}
	return r.Inputs(), nil
}

// lines reads NDJSON. Whole is the error of the body read as one value: if not even the first line
// is a value, the body was meant to be one value and that error is the better one.
func (r *reader) lines(body []byte, whole error) ([]protocol.Input, error) {
	for n := 1; len(body) > 0; n++ {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if line = bytes.Trim(line, blanks); len(line) == 0 {
			continue
		}
		if len(r.Inputs()) == protocol.MaxEvents {
			return nil, protocol.BadField("", "more than %d events, which is the most that are allowed in a request", protocol.MaxEvents)
		}
		path := "line " + strconv.Itoa(n)
		v, err := r.JSON(line)
		if err != nil {
			if n == 1 {
				return nil, whole
			}
			return nil, &protocol.FieldError{Path: path, Msg: err.Error()}
		}
		if err := r.event(v); err != nil {
			return nil, &protocol.FieldError{Path: path, Msg: err.Error()}
		}
		if _, err := r.checked(line); err != nil {
			return nil, &protocol.FieldError{Path: path, Msg: err.Error()}
		}
		r.Own(&r.Inputs()[len(r.Inputs())-1])
	}
	return r.Inputs(), nil
}

// stream reads a body that is one event or an array of events, all of them valid, as nearly all are.
// What it does not read is read anew by whole.
func (r *reader) stream(text *strictjson.Parser) bool {
	if !text.Take('[') {
		return r.streamEvent(text) && text.Ended()
	}
	for more := true; more; more = text.Take(',') {
		if len(r.Inputs()) == protocol.MaxEvents || !r.streamEvent(text) {
			return false
		}
	}
	return text.Take(']') && text.Ended()
}

// streamEvent is event of what comes next. A key that comes twice is an error of its field.
func (r *reader) streamEvent(text *strictjson.Parser) bool {
	if !text.Take('{') {
		return false
	}
	in := r.Next()
	for i := text.Pos(); ; {
		end := r.plainField(in, text, i)
		if end == 0 {
			text.Seek(i)
			key, v := text.Field()
			if r.field(in, key, v); r.Err() != nil {
				return false
			}
			end = text.Pos()
		}
		if text.At(end) == ',' {
			i = end + 1
			continue
		}
		text.Seek(end)
		if !text.Take(',') {
			return r.complete(in) == nil && text.Take('}')
		}
		i = text.Pos()
	}
}

// The beginnings of the fields that plainField reads. Keys that are longer go on in another word.
var (
	wordSite     = strictjson.WordOf(`"site":"`)
	wordName     = strictjson.WordOf(`"name":"`)
	wordURL      = strictjson.WordOf(`"url":"`)
	wordReferrer = [...]uint64{strictjson.WordOf(`"referre`), strictjson.WordOf(`r":"`)}
	wordScreen   = [...]uint64{strictjson.WordOf(`"screen"`), strictjson.WordOf(`:"`)}
	wordProps    = strictjson.WordOf(`"props":`)
	wordLanguage = [...]uint64{strictjson.WordOf(`"languag`), strictjson.WordOf(`e":"`)}
	wordID       = strictjson.WordOf(`"id":"`)
)

// plainField is field of what is at a position, if it is a plain text, or properties of such, without
// blanks, and nothing is wrong with it. It returns the position behind it, 0 if it has read nothing.
func (r *reader) plainField(in *protocol.Input, text *strictjson.Parser, i int) (end int) {
	const six, seven = 1<<48 - 1, 1<<56 - 1 // masks of so many bytes
	var s string
	switch word := text.Word(i); word {
	case wordSite:
		if s, end = text.PlainAt(i + 8); end > 0 && protocol.CheckSite(s) == "" && r.Fits(s, event.MaxSiteLen, protocol.FieldSite) {
			in.Site = s
			return end
		}
	case wordName:
		if s, end = text.PlainAt(i + 8); end > 0 && r.Fits(s, protocol.MaxName, protocol.FieldName) {
			in.Name = s
			return end
		}
	case wordReferrer[0]:
		if text.Word(i+8)&(1<<32-1) != wordReferrer[1] {
			return 0
		}
		if s, end = text.PlainAt(i + 12); end > 0 && r.Fits(s, protocol.MaxURL, protocol.FieldReferrer) {
			in.Referrer = s
			return end
		}
	case wordScreen[0]:
		if text.Word(i+8)&(1<<16-1) != wordScreen[1] {
			return 0
		}
		if s, end = text.PlainAt(i + 10); end > 0 && protocol.CheckScreen(s) == "" && r.Fits(s, protocol.MaxScreen, protocol.FieldScreen) {
			in.Screen = s
			return end
		}
	case wordProps:
		if props, raw, end := r.PlainProps(text, i+8); end > 0 {
			in.Props, in.PropsText = props, raw
			return end
		}
	case wordLanguage[0]:
		if text.Word(i+8)&(1<<32-1) != wordLanguage[1] {
			return 0
		}
		if s, end = text.PlainAt(i + 12); end > 0 && r.Fits(s, protocol.MaxLanguage, protocol.FieldLanguage) {
			in.Language = s
			return end
		}
	default:
		switch {
		case word&seven == wordURL:
			if s, end = text.PlainAt(i + 7); end > 0 && protocol.CheckURL(s) == "" && r.Fits(s, protocol.MaxURL, protocol.FieldURL) {
				in.URL = s
				return end
			}
		case word&six == wordID:
			if s, end = text.PlainAt(i + 6); end > 0 && r.Fits(s, protocol.MaxID, protocol.FieldID) {
				in.ID = s
				return end
			}
		}
	}
	return 0
}

// event reads one event and adds it to the inputs.
func (r *reader) event(v *strictjson.Value) *protocol.FieldError {
	obj, err := v.Object()
	if err != nil {
		return protocol.BadField("", "an event is a JSON object, this is a JSON %s", v.Type())
	}
	in := r.Next()
	obj.Visit(func(key []byte, v *strictjson.Value) {
		if r.Err() == nil {
			r.field(in, protocol.View(key), v)
		}
	})
	return r.complete(in)
}

// complete checks what an event has to have when all of its fields have been read.
func (r *reader) complete(in *protocol.Input) *protocol.FieldError {
	in.Plain = r.Plain()
	switch {
	case r.Err() != nil:
	case in.Site == "":
		r.Fail("site", "is missing")
	case in.Name == "":
		r.Fail("name", "is missing")
	case (in.Name[0] <= ' ' || in.Name[0] >= utf8.RuneSelf) && strings.TrimSpace(in.Name) == "":
		r.Fail("name", "is empty: there is nothing in it but blanks")
	default:
		r.CheckInteractive(in)
	}
	return r.Err()
}

func (r *reader) field(in *protocol.Input, key string, v *strictjson.Value) {
	switch key {
	case "id":
		in.ID = r.String(v, "id", protocol.FieldID, protocol.MaxID)
	case "site":
		in.Site = r.String(v, "site", protocol.FieldSite, event.MaxSiteLen)
		r.Check("site", protocol.CheckSite(in.Site))
	case "name":
		in.Name = r.String(v, "name", protocol.FieldName, protocol.MaxName)
	case "url":
		in.URL = r.String(v, "url", protocol.FieldURL, protocol.MaxURL)
		r.Check("url", protocol.CheckURL(in.URL))
	case "referrer":
		in.Referrer = r.String(v, "referrer", protocol.FieldReferrer, protocol.MaxURL)
	case "language":
		in.Language = r.String(v, "language", protocol.FieldLanguage, protocol.MaxLanguage)
	case "screen":
		in.Screen = r.String(v, "screen", protocol.FieldScreen, protocol.MaxScreen)
		r.Check("screen", protocol.CheckScreen(in.Screen))
	case "client_id":
		in.SetClient(r.String(v, "client_id", protocol.FieldClient, protocol.MaxClient))
	case "props":
		if r.Once("props", protocol.FieldProps) {
			in.Props = r.Props(v)
		}
	case "revenue":
		if r.Once("revenue", protocol.FieldRevenue) {
			r.Revenue(in, v, true)
		}
	case "interactive":
		if r.Once("interactive", protocol.FieldInteractive) {
			r.Interactive(in, v)
		}
	case "ts", "ip", "ua", "visitor":
		if !r.trusted {
			r.Fail(key, "only trusted callers may send it: from the loopback interface, or with a write key")
			return
		}
		r.trustedField(in, key, v)
	default:
		r.Fail(protocol.Clip(key), "unknown field")
	}
}

func (r *reader) trustedField(in *protocol.Input, key string, v *strictjson.Value) {
	switch key {
	case "ts":
		if r.Once("ts", protocol.FieldTime) {
			in.Time = r.time(v)
		}
	case "ip":
		s := r.String(v, "ip", protocol.FieldIP, 64)
		if s == "" {
			return
		}
		addr, err := netip.ParseAddr(s)
		if err != nil {
			r.Fail("ip", "%q is not an IP address", protocol.Clip(s))
			return
		}
		in.IP = addr.Unmap().WithZone("")
	case "ua":
		in.UA = r.String(v, "ua", protocol.FieldUA, protocol.MaxUA)
	case "visitor":
		in.Named = r.String(v, "visitor", protocol.FieldVisitor, protocol.MaxVisitor)
	}
}

func (r *reader) time(v *strictjson.Value) event.Time {
	var t event.Time
	switch v.Type() {
	case strictjson.TypeNull:
		return 0
	case strictjson.TypeNumber:
		n, err := v.Int64()
		if err != nil || !strictjson.Number(r.Number(v)) {
			r.Fail("ts", "%s is not a whole number of milliseconds", protocol.Clip(r.Number(v)))
			return 0
		}
		t = event.Time(n)
	case strictjson.TypeString:
		b, _ := v.StringBytes()
		std, err := time.Parse(time.RFC3339Nano, string(b))
		if err != nil {
			r.Fail("ts", "%q is neither milliseconds nor RFC 3339, as 2026-01-31T12:00:00Z", protocol.Clip(string(b)))
			return 0
		}
		t = event.TimeOf(std)
	default:
		r.Fail("ts", "a JSON %s, want milliseconds or an RFC 3339 string", v.Type())
		return 0
	}
	r.Check("ts", protocol.CheckTime(t, r.now, "milliseconds"))
	return t
}

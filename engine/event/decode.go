package event

import (
	"errors"
	"fmt"
	"unicode/utf8"
	"unsafe"

	"github.com/valyala/fastjson"

	"millrace/engine/wire"
)

// Reasons a record can't be decoded, for errors.Is. The record belongs in the dead letters.
var (
	ErrNil     = errors.New("record has no value")
	ErrSyntax  = errors.New("record is not JSON")
	ErrVersion = errors.New("unknown envelope version")
	ErrField   = errors.New("field is missing or of the wrong type")
)

// Decoder decodes envelopes. It reuses its memory from call to call, so it belongs to one goroutine. The
// zero value is ready.
//
// There are two ways through a Decoder: fast reads what our own encoder writes, and what others write by the schema, in
// one pass; general reads the rest of JSON, and every record that is in error.
type Decoder struct {
	fast   fast
	parser fastjson.Parser
	err    error
	props  []Prop
}

// Decode reads the value of a record into env. Events and their strings are valid until the next Decode.
// Unknown fields are passed over, so that a newer writer of the same version can add some.
func (d *Decoder) Decode(value []byte, env *Envelope) error {
	env.Collector, env.Low, env.Events = "", 0, env.Events[:0]
	if value == nil {
		return ErrNil
	}
	if !utf8.Valid(value) {
		return fmt.Errorf("%w: invalid UTF-8", ErrSyntax)
	}
	if d.fast.envelope(value, env) {
		return nil
	}
	env.Collector, env.Low, env.Events = "", 0, env.Events[:0]
	return d.general(value, env)
}

// general reads any JSON into env, which is empty, by way of a tree. It alone has errors to tell.
func (d *Decoder) general(value []byte, env *Envelope) error {
	root, err := d.parser.ParseBytes(value)
	if err != nil {
		return fmt.Errorf("%w: %.120s", ErrSyntax, err)
	}
	if root.Type() != fastjson.TypeObject {
		return fmt.Errorf("%w: it is a JSON %s, not an object", ErrField, root.Type())
	}
	v := root.Get("v")
	if n, err := number(v); err != nil {
		return fmt.Errorf("%w: v: %w", ErrVersion, err)
	} else if n > Version {
		return fmt.Errorf("%w: %w", ErrVersion, wire.Newer(int(n), Version, Version))
	} else if n != Version {
		return fmt.Errorf("%w: v is %d, this build reads %d", ErrVersion, n, Version)
	}
	d.err, d.props = nil, d.props[:0]
	env.Collector = d.str(root.Get("collector"), "collector")
	env.Low = d.time(root.Get("low"), "low")
	if env.Collector == "" && d.err == nil {
		d.err = errors.New("collector is missing")
	}
	events := root.Get("events")
	if d.err == nil && (events == nil || events.Type() != fastjson.TypeArray) {
		d.err = errors.New("events is not an array") // asked of a missing value, fastjson's Array panics
	}
	if d.err != nil {
		return fmt.Errorf("%w: %w", ErrField, d.err)
	}
	list, _ := events.Array()
	for i, v := range list {
		env.Events = append(env.Events, Event{})
		if err := d.event(v, &env.Events[len(env.Events)-1]); err != nil {
			return fmt.Errorf("%w: events[%d]: %w", ErrField, i, err)
		}
	}
	return nil
}

// DecodeEvent reads one event, the form it has within an envelope. The event is valid until the next call.
func (d *Decoder) DecodeEvent(value []byte, e *Event) error {
	if !utf8.Valid(value) {
		return fmt.Errorf("%w: invalid UTF-8", ErrSyntax)
	}
	v, err := d.parser.ParseBytes(value)
	if err != nil {
		return fmt.Errorf("%w: %.120s", ErrSyntax, err)
	}
	*e, d.props = Event{}, d.props[:0]
	if err := d.event(v, e); err != nil {
		return fmt.Errorf("%w: %w", ErrField, err)
	}
	return nil
}

func (d *Decoder) event(v *fastjson.Value, e *Event) error {
	obj, err := v.Object()
	if err != nil {
		return errors.New("not an object")
	}
	d.err = nil
	obj.Visit(func(key []byte, v *fastjson.Value) { d.field(e, key, v) })
	switch {
	case d.err != nil:
		return d.err
	case e.Name == "":
		return errors.New("name is missing")
	case e.Time == 0:
		return errors.New("ts is missing")
	}
	if e.Received == 0 {
		e.Received = e.Time
	}
	return ValidSite(e.Site)
}

func (d *Decoder) field(e *Event, key []byte, v *fastjson.Value) {
	switch string(key) {
	case "id":
		e.ID = d.str(v, "id")
	case "site":
		e.Site = d.str(v, "site")
	case "name":
		e.Name = d.str(v, "name")
	case "ts":
		e.Time = d.time(v, "ts")
	case "received":
		e.Received = d.time(v, "received")
	case "visitor":
		e.Visitor = d.visitor(v, "visitor")
	case "visitor_prev":
		e.VisitorPrev = d.visitor(v, "visitor_prev")
	case "url":
		e.URL = d.str(v, "url")
	case "referrer":
		e.Referrer = d.str(v, "referrer")
	case "ua":
		e.UA = d.str(v, "ua")
	case "language":
		e.Language = d.str(v, "language")
	case "screen":
		e.Screen = d.str(v, "screen")
	case "country":
		e.Country = d.str(v, "country")
	case "region":
		e.Region = d.str(v, "region")
	case "city":
		e.City = d.str(v, "city")
	case "props":
		e.Props = d.properties(v)
	case "revenue":
		d.revenue(v, e)
	case "non_interactive":
		e.NonInteractive = d.bool(v, "non_interactive")
	case "client":
		e.Client = d.str(v, "client")
	case "bot":
		e.Bot = d.str(v, "bot")
	case "ping":
		e.Ping = d.bool(v, "ping")
	case "engaged":
		e.Engaged = d.time(v, "engaged")
	case "scroll":
		e.Scroll = d.percent(v, "scroll")
	case "hash":
		e.HashRoute = d.bool(v, "hash")
	}
}

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// str returns a view of a string value; a missing one is "".
func (d *Decoder) str(v *fastjson.Value, name string) string {
	if v == nil {
		return ""
	}
	b, err := v.StringBytes()
	if err != nil {
		d.fail(fmt.Errorf("%s is a JSON %s, not a string", name, v.Type()))
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (d *Decoder) bool(v *fastjson.Value, name string) bool {
	b, err := v.Bool()
	if err != nil {
		d.fail(fmt.Errorf("%s is a JSON %s, not true or false", name, v.Type()))
	}
	return b
}

func (d *Decoder) time(v *fastjson.Value, name string) Time {
	n, err := number(v)
	switch {
	case err != nil:
		d.fail(fmt.Errorf("%s: %w", name, err))
	case n < 0 || Time(n) >= maxTime:
		d.fail(fmt.Errorf("%s: %d ms is not between 1970 and 2200", name, n))
	}
	return Time(n)
}

func (d *Decoder) percent(v *fastjson.Value, name string) Percent {
	n, err := number(v)
	if err == nil && PercentOf(n) == 0 {
		err = fmt.Errorf("%d is not a percentage of 0 to 100", n)
	}
	if err != nil {
		d.fail(fmt.Errorf("%s: %w", name, err))
	}
	return PercentOf(n)
}

// maxTime is the start of the year 2200. A time out of bounds is a clock gone mad or a unit mistaken, and as a low
// watermark it would close every window of the partition for good.
const maxTime Time = 7_258_118_400_000

// Valid reports whether an event may have the time: after the beginning of 1970, which stands for none, and before 2200.
func (t Time) Valid() bool { return t > 0 && t < maxTime }

func (d *Decoder) visitor(v *fastjson.Value, name string) Visitor {
	s := d.str(v, name)
	if s == "" {
		return 0
	}
	id, err := ParseVisitor(s)
	if err != nil {
		d.fail(fmt.Errorf("%s: %w", name, err))
	}
	return id
}

func (d *Decoder) properties(v *fastjson.Value) []Prop {
	obj, err := v.Object()
	if err != nil {
		d.fail(fmt.Errorf("props is a JSON %s, not an object", v.Type()))
		return nil
	}
	start := len(d.props)
	obj.Visit(func(key []byte, v *fastjson.Value) {
		d.props = append(d.props, Prop{
			Key:   unsafe.String(unsafe.SliceData(key), len(key)),
			Value: d.str(v, "a value of props"),
		})
	})
	// A later append may move d.props; the slice already handed out then keeps the old array, whose
	// content no longer changes.
	return d.props[start:len(d.props):len(d.props)]
}

func (d *Decoder) revenue(v *fastjson.Value, e *Event) {
	if v.Type() != fastjson.TypeObject {
		d.fail(fmt.Errorf("revenue is a JSON %s, not an object", v.Type()))
		return
	}
	amount := d.str(v.Get("amount"), "revenue.amount")
	m, err := ParseMoney(amount)
	if err != nil {
		d.fail(fmt.Errorf("revenue: %w", err))
	}
	e.Amount = m
	e.Currency = d.str(v.Get("currency"), "revenue.currency")
}

func number(v *fastjson.Value) (int64, error) {
	if v == nil {
		return 0, errors.New("missing")
	}
	n, err := v.Int64()
	if err != nil {
		return 0, fmt.Errorf("%.40s is not a whole number", v.String())
	}
	return n, nil
}

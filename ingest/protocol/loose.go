package protocol

import (
	"time"

	"millrace/engine/event"
	"millrace/internal/strictjson"
)

// LooseTime returns a time as RFC 3339 has it, 0 for what is none or can't be the time of an event
// that came in at now.
func LooseTime(s string, now event.Time) event.Time {
	std, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0
	}
	t := event.TimeOf(std)
	if CheckTime(t, now, "milliseconds") != "" {
		return 0
	}
	return t
}

// TextOf returns a view of a text, "" for anything else.
func TextOf(v *strictjson.Value) string {
	if v == nil || v.Type() != strictjson.TypeString {
		return ""
	}
	return View(v.GetStringBytes())
}

// ScalarOf returns a text or the text of a number, "" for anything else.
func (p *Parser) ScalarOf(v *strictjson.Value) string {
	if v != nil && v.Type() == strictjson.TypeNumber {
		return p.Number(v)
	}
	return TextOf(v)
}

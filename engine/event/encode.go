package event

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// AppendEnvelope appends the JSON of an envelope whose events were encoded by Append already and joined by
// commas; events is empty for a tick.
func AppendEnvelope(dst []byte, collector string, low Time, events []byte) []byte {
	dst = append(dst, `{"v":1,"collector":`...)
	dst = appendString(dst, collector)
	dst = append(dst, `,"low":`...)
	dst = strconv.AppendInt(dst, int64(low), 10)
	dst = append(dst, `,"events":[`...)
	dst = append(dst, events...)
	return append(dst, `]}`...)
}

// Append appends the JSON of one event. Fields that are empty are left out. Invalid UTF-8 becomes U+FFFD, so
// that the result is always valid JSON.
func (e *Event) Append(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, e.ID)
	dst = append(dst, `,"site":`...)
	dst = appendString(dst, e.Site)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, e.Name)
	dst = append(dst, `,"ts":`...)
	from := len(dst)
	dst = strconv.AppendInt(dst, int64(e.Time), 10)
	digits := dst[from:]
	dst = append(dst, `,"received":`...)
	if e.Received == e.Time { // nearly always
		dst = append(dst, digits...)
	} else {
		dst = strconv.AppendInt(dst, int64(e.Received), 10)
	}
	dst = append(dst, `,"visitor":"`...)
	dst = appendVisitor(dst, e.Visitor)
	dst = append(dst, '"')
	if e.VisitorPrev != 0 {
		dst = append(dst, `,"visitor_prev":"`...)
		dst = appendVisitor(dst, e.VisitorPrev)
		dst = append(dst, '"')
	}
	dst = appendField(dst, `,"url":`, e.URL)
	dst = appendField(dst, `,"referrer":`, e.Referrer)
	dst = appendField(dst, `,"ua":`, e.UA)
	dst = appendField(dst, `,"language":`, e.Language)
	dst = appendField(dst, `,"screen":`, e.Screen)
	dst = appendField(dst, `,"country":`, e.Country)
	dst = appendField(dst, `,"region":`, e.Region)
	dst = appendField(dst, `,"city":`, e.City)
	if len(e.Props) > 0 {
		dst = append(dst, `,"props":`...)
		dst = AppendProps(dst, e.Props)
	}
	if e.Currency != "" {
		dst = append(dst, `,"revenue":{"amount":"`...)
		dst = e.Amount.Append(dst)
		dst = append(dst, `","currency":`...)
		dst = appendString(dst, e.Currency)
		dst = append(dst, '}')
	}
	if e.NonInteractive {
		dst = append(dst, `,"non_interactive":true`...)
	}
	dst = appendField(dst, `,"client":`, e.Client)
	dst = appendField(dst, `,"bot":`, e.Bot)
	if e.Ping {
		dst = e.appendPing(dst)
	}
	if e.HashRoute {
		dst = append(dst, `,"hash":true`...)
	}
	return append(dst, '}')
}

func (e *Event) appendPing(dst []byte) []byte {
	dst = append(dst, `,"ping":true`...)
	if e.Engaged != 0 {
		dst = append(dst, `,"engaged":`...)
		dst = strconv.AppendInt(dst, int64(e.Engaged), 10)
	}
	if n, ok := e.Scroll.Value(); ok {
		dst = append(dst, `,"scroll":`...)
		dst = strconv.AppendInt(dst, n, 10)
	}
	return dst
}

// AppendProps appends the properties as a JSON object of strings.
func AppendProps(dst []byte, props []Prop) []byte {
	dst = append(dst, '{')
	for i, p := range props {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, p.Key)
		dst = append(dst, ':')
		dst = appendString(dst, p.Value)
	}
	return append(dst, '}')
}

func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, name...)
	return appendString(dst, value)
}

func appendVisitor(dst []byte, v Visitor) []byte {
	const hex = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = hex[v>>(60-4*i)&15]
	}
	return append(dst, b[:]...)
}

// appendString appends s as a JSON string (RFC 8259). Runs that need no escape are copied whole.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := plainPrefix(s); i < len(s); i += plainPrefix(s[i:]) {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			dst = append(append(dst, s[start:i]...), "\ufffd"...)
			i++
			start = i
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// plainPrefix returns the length of what s begins with that is copied as it is: ASCII without control
// characters, quotes and backslashes. It looks at eight bytes at once, in the end at some again: a
// byte x is less than n if the subtraction borrows from its high bit, and it is c if x^c is less than
// 1. A borrow may go on into the bytes above, but never reaches the lowest that is found.
func plainPrefix(s string) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	last := len(s) - 8
	if last < 0 {
		i := 0
		for i < len(s) && s[i] >= 0x20 && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
			i++
		}
		return i
	}
	for i := 0; ; i = min(i+8, last) {
		b := s[i : i+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, backslash := w^ones*'"', w^ones*'\\'
		found := (w | (w-ones*0x20)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & high
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		if i == last {
			return len(s)
		}
	}
}

package event

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"
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
func (e *Event) Append(dst []byte) []byte { return e.append(dst, nil, false) }

// append appends the JSON of an event. Plain says that its texts are encoded as they are, but for
// those that an Encoder remembers; x is nil for none.
func (e *Event) append(dst []byte, x *Encoder, plain bool) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendText(dst, e.ID, plain)
	dst = append(dst, `,"site":`...)
	dst = appendText(dst, e.Site, plain)
	dst = append(dst, `,"name":`...)
	dst = appendText(dst, e.Name, plain)
	dst = x.appendTimes(dst, e)
	dst = append(dst, `,"visitor":"`...)
	dst = appendVisitor(dst, e.Visitor)
	dst = append(dst, '"')
	if e.VisitorPrev != 0 {
		dst = append(dst, `,"visitor_prev":"`...)
		dst = appendVisitor(dst, e.VisitorPrev)
		dst = append(dst, '"')
	}
	dst = appendField(dst, `,"url":`, e.URL, plain)
	dst = appendField(dst, `,"referrer":`, e.Referrer, plain)
	dst = x.appendAgent(dst, e)
	dst = appendField(dst, `,"screen":`, e.Screen, plain)
	dst = x.appendPlace(dst, e)
	if len(e.Props) > 0 {
		dst = append(dst, `,"props":`...)
		dst = appendProps(dst, e.Props, plain)
	}
	return e.appendRest(dst, plain)
}

// appendRest appends what comes behind the properties, and the end.
func (e *Event) appendRest(dst []byte, plain bool) []byte {
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
	dst = appendField(dst, `,"client":`, e.Client, plain)
	dst = appendField(dst, `,"bot":`, e.Bot, false)
	if e.Ping {
		dst = e.appendPing(dst)
	}
	if e.HashRoute {
		dst = append(dst, `,"hash":true`...)
	}
	return append(dst, '}')
}

func (e *Event) appendTimes(dst []byte) []byte {
	dst = append(dst, `,"ts":`...)
	from := len(dst)
	dst = strconv.AppendInt(dst, int64(e.Time), 10)
	digits := dst[from:]
	dst = append(dst, `,"received":`...)
	if e.Received == e.Time { // nearly always
		return append(dst, digits...)
	}
	return strconv.AppendInt(dst, int64(e.Received), 10)
}

func (e *Event) appendAgent(dst []byte) []byte {
	dst = appendField(dst, `,"ua":`, e.UA, false)
	return appendField(dst, `,"language":`, e.Language, false)
}

func (e *Event) appendPlace(dst []byte) []byte {
	dst = appendField(dst, `,"country":`, e.Country, false)
	dst = appendField(dst, `,"region":`, e.Region, false)
	return appendField(dst, `,"city":`, e.City, false)
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
func AppendProps(dst []byte, props []Prop) []byte { return appendProps(dst, props, false) }

func appendProps(dst []byte, props []Prop, plain bool) []byte {
	dst = append(dst, '{')
	for i := range props {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, props[i].Key, plain)
		dst = append(dst, ':')
		dst = appendText(dst, props[i].Value, plain)
	}
	return append(dst, '}')
}

func appendField(dst []byte, name, value string, plain bool) []byte {
	if value == "" {
		return dst
	}
	return appendText(append(dst, name...), value, plain)
}

// appendText is appendString, of which a plain text needs no look.
func appendText(dst []byte, s string, plain bool) []byte {
	if !plain {
		return appendString(dst, s)
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}

// appendVisitor appends 16 hexadecimal digits.
func appendVisitor(dst []byte, v Visitor) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, hexOf(uint32(v>>32)))
	return binary.LittleEndian.AppendUint64(dst, hexOf(uint32(v)))
}

// hexOf returns the 8 hexadecimal digits of n, the first one in the lowest byte: it spreads the
// digits over the bytes, and adds to each what makes it a character.
func hexOf(n uint32) uint64 {
	const ones = 0x0101_0101_0101_0101
	w := uint64(bits.ReverseBytes32(n))
	w = (w | w<<16) & 0x0000_ffff_0000_ffff
	w = (w | w<<8) & 0x00ff_00ff_00ff_00ff
	w = (w>>4 | w<<8) & (0xf * ones)
	letters := (w + 6*ones) >> 4 & ones
	return w + '0'*ones + letters*('a'-'9'-1)
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
// byte x is less than n if the subtraction borrows from its high bit; a backslash is less than 1 with
// its own bits turned, a quote less than 0x21 with the bit of 2 turned, as control characters are. A
// borrow may go on into the bytes above, but never reaches the lowest that is found.
func plainPrefix(s string) int {
	last := len(s) - 8
	if last < 0 {
		i := 0
		for i < len(s) && s[i] >= 0x20 && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
			i++
		}
		return i
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	ones, twos, belows, slashes, highs := masks.ones, masks.twos, masks.belows, masks.slashes, masks.highs
	for i := 0; ; i = min(i+8, last) {
		w := binary.LittleEndian.Uint64(b[i:])
		found := (w | ((w ^ twos) - belows) | ((w ^ slashes) - ones)) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		if i == last {
			return len(s)
		}
	}
}

// masks are the constants of plainPrefix. They are variables because the compiler keeps such in
// registers, where it would load a constant for each word anew.
var masks = struct{ ones, twos, belows, slashes, highs uint64 }{
	ones: 0x0101_0101_0101_0101, twos: 0x0202_0202_0202_0202, belows: 0x2121_2121_2121_2121,
	slashes: 0x5c5c_5c5c_5c5c_5c5c, highs: 0x8080_8080_8080_8080,
}

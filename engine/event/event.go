package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Topic is the log: the topic of envelopes.
const Topic = "millrace.events"

// Version is the version of envelope and event that this code writes, and the only one it reads.
const Version = 1

// Pageview is the name of the event that counts as a view of a page.
const Pageview = "pageview"

// Time is an instant in milliseconds since the Unix epoch, UTC.
type Time int64

// Lengths of the windows, as Time.
const (
	Second Time = 1000
	Minute Time = 60 * Second
	Hour   Time = 60 * Minute
)

// TimeOf returns t in milliseconds, cut towards the past.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Floor returns the start of the window of length d that holds t; it rounds towards the past, before
// 1970 too.
func (t Time) Floor(d Time) Time {
	r := t % d
	if r < 0 {
		r += d
	}
	return t - r
}

func (t Time) String() string { return t.Std().Format("2006-01-02T15:04:05.000Z") }

// Visitor is the keyed hash of a visitor of one site. It is uniformly distributed over 64 bits; 0 means
// unknown. In JSON it is a string of 16 hexadecimal digits.
type Visitor uint64

func (v Visitor) String() string {
	var b [16]byte
	return string(appendVisitor(b[:0], v))
}

// ParseVisitor reads 1 to 16 hexadecimal digits.
func ParseVisitor(s string) (Visitor, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) > 16 {
		return 0, fmt.Errorf("visitor %q is not 1 to 16 hexadecimal digits", clip(s))
	}
	return Visitor(n), nil
}

// Money is an amount in ten-thousandths of its currency's unit: exact for every currency in use, and as
// wide as 900 million million units.
type Money int64

// MoneyScale is the number of Money in one unit of the currency.
const MoneyScale = 10_000

// ValidCurrency reports whether s has the form of an ISO 4217 code: three capitals.
func ValidCurrency(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) == 3
}

// maxMoney is the least amount that ParseMoney has too many places for.
const maxMoney = 100_000_000_000_000 * MoneyScale

// ParseMoney reads a decimal number such as "12.5" or "-3" of at most 14 places before the point; more than four places
// after it are rounded half away from zero.
func ParseMoney(s string) (Money, error) {
	bad := func() (Money, error) { return 0, fmt.Errorf("amount %q is not a decimal number", clip(s)) }
	digits, neg := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 14 || !isDigits(whole) || !isDigits(frac) || strings.HasSuffix(digits, ".") {
		return bad()
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return bad()
	}
	m := n * MoneyScale
	place := int64(MoneyScale / 10)
	for i := 0; i < len(frac); i++ {
		d := int64(frac[i] - '0')
		if place == 0 {
			if d >= 5 {
				m++
			}
			break
		}
		m += d * place
		place /= 10
	}
	if m >= maxMoney {
		return bad() // rounding has given it another place, and what is written has to be read
	}
	if neg {
		m = -m
	}
	return Money(m), nil
}

// Append appends m as a decimal number without trailing zeros.
func (m Money) Append(dst []byte) []byte {
	n := uint64(m)
	if m < 0 {
		dst = append(dst, '-')
		n = -n // of the smallest Money too, which has no positive counterpart
	}
	dst = strconv.AppendUint(dst, n/MoneyScale, 10)
	frac := n % MoneyScale
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	for place := uint64(MoneyScale / 10); frac > 0; place /= 10 {
		dst = append(dst, byte('0'+frac/place))
		frac %= place
	}
	return dst
}

func (m Money) String() string { return string(m.Append(nil)) }

// Percent is a whole number of 0 to 100 that need not be known; the zero value is not.
type Percent uint8

// PercentOf returns n, which is 0 to 100, as a Percent, and what is not known of another.
func PercentOf(n int64) Percent {
	if n < 0 || n > 100 {
		return 0
	}
	return Percent(n + 1)
}

// Value returns the number, and whether it is known.
func (p Percent) Value() (n int64, ok bool) { return int64(p) - 1, p != 0 }

// Prop is one custom property of an event.
type Prop struct {
	Key, Value string
}

// Event is one beacon.
//
// Strings of an event that came out of a Decoder are views into the decoder's memory and are valid until
// its next Decode: clone what lives longer.
type Event struct {
	// ID names the event for duplicate detection; unique within Site. Clients that retry send it again.
	ID string
	// Site is the site's id, valid under ValidSite.
	Site string
	// Name is "pageview" or the name of a custom event.
	Name string
	// Time is the event time: Received, unless a trusted client gave another.
	Time Time
	// Received is when the collector took the event in.
	Received Time
	// Visitor is the visitor's hash under today's salt.
	Visitor Visitor
	// VisitorPrev is the hash under yesterday's salt, set in the first hour after a change of salt, else 0.
	VisitorPrev Visitor
	// URL is the full address of the page; Referrer that of the page before, "" if there is none.
	URL, Referrer string
	// UA is the raw user agent.
	UA string
	// Language is a BCP 47 tag as the browser sent it; Screen is "WIDTHxHEIGHT" in CSS pixels.
	Language, Screen string
	// Country is ISO 3166-1 alpha-2, Region ISO 3166-2, City a GeoNames id or a name; "" where unknown.
	Country, Region, City string
	// Props are the custom properties, sorted by key, keys distinct.
	Props []Prop
	// Amount and Currency (ISO 4217) are the revenue; Currency "" means none.
	Amount   Money
	Currency string
	// NonInteractive says that the event is no sign of somebody's doing: it does not keep a visit from being a
	// bounce. Pageviews are never marked so.
	NonInteractive bool
	// Ping says that the event is none: a tracker's report on a page view that goes on. It counts as nothing, and lengthens
	// its visitor's visit. Engaged is how long the page was in use since the report before, in ms, 0 if not known, and Scroll
	// how far down it has been seen.
	Ping    bool
	Engaged Time
	Scroll  Percent
	// HashRoute says that the site's pages are told apart by the URL's fragment, which then is part of the page.
	HashRoute bool
	// Client is the name of the protocol that the event came by, such as "v1", or "import"; with
	// ServerSuffix where a trusted server sent it, whose user agent says nothing about a bot.
	Client string
	// Bot is the collector's own reason to take the sender for a bot, "" for none. The engine adds its
	// own verdict from the user agent.
	Bot string
}

// Envelope is the value of one record of the topic.
type Envelope struct {
	// Collector names the writer; its Low values are compared only with each other.
	Collector string
	// Low is the collector's low watermark: no event that it still holds for this partition is older.
	Low Time
	// Events is the batch; empty for a tick.
	Events []Event
}

// MaxSiteLen is the longest site id in bytes.
const MaxSiteLen = 253

// ErrSite is the reason ValidSite refuses a site id with.
var ErrSite = errors.New("a site id has 1 to 253 characters of a-z 0-9 . -")

// ValidSite returns ErrSite, naming the id, unless it matches ^[a-z0-9.-]{1,253}$. Only such ids may become
// part of an object key, a path or a tag.
func ValidSite(s string) error {
	if !validSite(s) {
		return fmt.Errorf("site %q: %w", clip(s), ErrSite)
	}
	return nil
}

func validSite(s string) bool {
	if len(s) == 0 || len(s) > MaxSiteLen {
		return false
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; len(b) > 8; b = b[min(8, len(b)-8):] { // the last 8 overlap those before
		if !siteWord(binary.LittleEndian.Uint64(b)) {
			return false
		}
	}
	if len(b) == 8 {
		return siteWord(binary.LittleEndian.Uint64(b))
	}
	all := byte(1)
	for _, c := range b {
		all &= siteChars[c]
	}
	return all != 0
}

// siteWord reports whether 8 characters are such that a site id may have. A sum has the high bit of each
// byte that is at least so much, where all bytes are below 0x80.
func siteWord(w uint64) bool {
	const ones, highs = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	letters := (w + (0x80-'a')*ones) &^ (w + (0x80-'z'-1)*ones)
	digits := (w + (0x80-'0')*ones) &^ (w + (0x80-'9'-1)*ones)
	others := (w + (0x80-'-')*ones) &^ (w + (0x80-'.'-1)*ones)
	return (letters|digits|others)&^w&highs == highs
}

// siteChars has 1 for the characters that a site id may have.
var siteChars = func() (of [256]byte) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789.-") {
		of[c] = 1
	}
	return of
}()

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// clip shortens s for an error message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

package event

import "encoding/binary"

// The keys of each kind of object, numbered in the order in which the encoder writes them.
const (
	keyV = iota
	keyCollector
	keyLow
	keyEvents
)

const (
	keyAmount = iota
	keyCurrency
)

const (
	keyID = iota
	keySite
	keyName
	keyTime
	keyReceived
	keyVisitor
	keyVisitorPrev
	keyURL
	keyReferrer
	keyUA
	keyLanguage
	keyScreen
	keyCountry
	keyRegion
	keyCity
	keyProps
	keyRevenue
	keyNonInteractive
	keyClient
	keyBot
	keyPing
	keyEngaged
	keyScroll
	keyHashRoute
)

var (
	envelopeKeys = [...]word16{keyV: key16("v"), keyCollector: key16("collector"), keyLow: key16("low"), keyEvents: key16("events")}
	revenueKeys  = [...]word16{keyAmount: key16("amount"), keyCurrency: key16("currency")}
	eventKeys    = [...]word16{
		keyID: key16("id"), keySite: key16("site"), keyName: key16("name"), keyTime: key16("ts"),
		keyReceived: key16("received"), keyVisitor: key16("visitor"), keyVisitorPrev: key16("visitor_prev"),
		keyURL: key16("url"), keyReferrer: key16("referrer"), keyUA: key16("ua"), keyLanguage: key16("language"),
		keyScreen: key16("screen"), keyCountry: key16("country"), keyRegion: key16("region"), keyCity: key16("city"),
		keyProps: key16("props"), keyRevenue: key16("revenue"), keyNonInteractive: key16("non_interactive"),
		keyClient: key16("client"), keyBot: key16("bot"),
		keyPing: key16("ping"), keyEngaged: key16("engaged"), keyScroll: key16("scroll"), keyHashRoute: key16("hash"),
	}
)

// word16 is a key and the quote that ends it as two words, and the bits of a record's next 16 bytes to compare with them.
type word16 struct {
	low, high         uint64
	lowMask, highMask uint64
	len               int
}

// key16 makes the words of a key of 15 bytes at most.
func key16(key string) word16 {
	var text, mask [16]byte
	n := copy(text[:], key)
	text[n] = '"'
	for i := range n + 1 {
		mask[i] = 0xff
	}
	le := binary.LittleEndian
	return word16{
		low: le.Uint64(text[:]), high: le.Uint64(text[8:]),
		lowMask: le.Uint64(mask[:]), highMask: le.Uint64(mask[8:]),
		len: n + 1,
	}
}

// key passes over a key and its colon and returns the key's number among keys. The numbers are tried in turn from
// the one after last, so a record in the encoder's order mostly matches at once. A key that is in seen, which has a bit
// for each number, or that is not among keys or has an escape, is a failure.
func (f *fast) key(keys []word16, last int, seen *uint, i int) (int, int) {
	i = f.must('"', i)
	low, high := binary.LittleEndian.Uint64(f.buf[i:]), binary.LittleEndian.Uint64(f.buf[i+8:])
	n := last
	for range keys {
		if n++; n >= len(keys) {
			n = 0
		}
		k := &keys[n]
		if low&k.lowMask != k.low || high&k.highMask != k.high {
			continue
		}
		if *seen&(1<<n) != 0 {
			break
		}
		*seen |= 1 << n
		return n, f.must(':', i+k.len)
	}
	return -1, f.fail()
}

package local

import (
	"encoding/binary"
	"errors"

	"millrace/engine/event"
	"millrace/engine/window"
)

var errValue = errors.New("malformed value")

// A rollup is: flags (1 byte), the number of counters (1 byte), the counters (zig-zag varints), the sketch
// (the rest). A counter that was added to the code later is 0 in a shorter list; those that this build
// does not know are passed over.
const flagFinal = 1

// numCounters is the number of counters this build writes: events, pageviews, visitors.
const numCounters = 3

func appendRollup(dst []byte, final bool, r *window.Rollup) []byte {
	var flags byte
	if final {
		flags = flagFinal
	}
	dst = append(dst, flags, numCounters)
	for _, n := range [numCounters]int64{r.Events, r.Pageviews, int64(r.Visitors)} {
		dst = binary.AppendVarint(dst, n)
	}
	return append(dst, r.Sketch...)
}

// decodeRollup reads what appendRollup wrote. The sketch is a view of b.
func decodeRollup(b []byte, r *window.Rollup) (final bool, err error) {
	if len(b) < 2 || b[0] > flagFinal {
		return false, errValue
	}
	final = b[0]&flagFinal != 0
	var counters [numCounters]int64
	count := int(b[1])
	b = b[2:]
	for i := range count {
		n, l := binary.Varint(b)
		if l <= 0 {
			return false, errValue
		}
		if i < numCounters {
			counters[i] = n
		}
		b = b[l:]
	}
	*r = window.Rollup{Events: counters[0], Pageviews: counters[1], Visitors: uint64(counters[2]), Sketch: b}
	return final, nil
}

// version is what is stored of a window besides its points: a varint, and a byte that is 1 after a Replace.
type version struct {
	version  int64
	replaced bool // by Replace, after that version was written
}

// noVersion is the version of a window that only Replace has written: any live one is newer.
const noVersion = -1 << 63

func appendVersion(dst []byte, v version) []byte {
	dst = binary.AppendVarint(dst, v.version)
	if v.replaced {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func decodeVersion(b []byte) (version, error) {
	v, n := binary.Varint(b)
	if n <= 0 || n+1 != len(b) || b[n] > 1 {
		return version{}, errValue
	}
	return version{v, b[n] == 1}, nil
}

func appendProgress(dst []byte, p *window.Progress) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, int64(p.Low)), p.Offset)
}

func decodeProgress(b []byte, p *window.Progress) error {
	low, n := binary.Varint(b)
	if n <= 0 {
		return errValue
	}
	off, m := binary.Varint(b[n:])
	if m <= 0 || n+m != len(b) {
		return errValue
	}
	p.Low, p.Offset = event.Time(low), off
	return nil
}

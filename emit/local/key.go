package local

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/window"
)

// The first byte of a key is its table.
const (
	tableMeta     = 0x00
	tableRollup   = 0x01
	tableWindow   = 0x02
	tableProgress = 0x03
	tableDay      = 0x04
	tableSummed   = 0x05
)

// A string within a key: 00 is written as 00 FF, the end as 00 01. So a string sorts before those
// it is a prefix of (00 01 is less than 00 FF and any other byte), and the order of the keys is
// that of the strings.
const (
	escByte = 0x00
	escZero = 0xff
	escEnd  = 0x01
)

var errKey = errors.New("malformed key")

// rollupKey is the key of a point.
type rollupKey struct {
	site   string
	kind   window.Kind
	family window.Family
	start  event.Time
	shard  uint16
	dims   [2]string // as many as the family has
}

func appendSite(dst []byte, site string) []byte { return append(append(dst, site...), 0) }

func cutSite(b []byte) (site string, rest []byte, err error) {
	for i, c := range b {
		if c == 0 {
			return view(b[:i]), b[i+1:], nil
		}
	}
	return "", nil, errKey
}

func appendTime(dst []byte, t event.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t)^1<<63)
}

func readTime(b []byte) event.Time { return event.Time(binary.BigEndian.Uint64(b) ^ 1<<63) }

func appendValue(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if dst = append(dst, s[i]); s[i] == escByte {
			dst = append(dst, escZero)
		}
	}
	return append(dst, escByte, escEnd)
}

// cutValue reads what appendValue wrote: a view of b unless the string holds a zero byte.
func cutValue(b []byte) (s string, rest []byte, err error) {
	var unescaped []byte
	from := 0
	for i := 0; i+1 < len(b); i++ {
		if b[i] != escByte {
			continue
		}
		switch b[i+1] {
		case escEnd:
			if unescaped == nil {
				return view(b[:i]), b[i+2:], nil
			}
			return string(append(unescaped, b[from:i]...)), b[i+2:], nil
		case escZero:
			unescaped = append(unescaped, b[from:i+1]...)
			i++
			from = i + 1
		default:
			return "", nil, errKey
		}
	}
	return "", nil, errKey
}

// appendFamily appends what the keys of one kind and family of one site begin with.
func appendFamily(dst []byte, site string, k window.Kind, f window.Family) []byte {
	return appendFamilyOf(dst, tableRollup, site, k, f)
}

func appendFamilyOf(dst []byte, table byte, site string, k window.Kind, f window.Family) []byte {
	return append(appendSite(append(dst, table), site), byte(k), byte(f))
}

func appendRollupKey(dst []byte, k *rollupKey) []byte {
	dst = appendTime(appendFamily(dst, k.site, k.kind, k.family), k.start)
	dst = binary.BigEndian.AppendUint16(dst, k.shard)
	return appendDims(dst, k.family, &k.dims)
}

func appendDims(dst []byte, f window.Family, dims *[2]string) []byte {
	for i := range f.Dims() {
		dst = appendValue(dst, dims[i])
	}
	return dst
}

// decodeRollupKey reads what appendRollupKey wrote. Strings are views of b.
func decodeRollupKey(b []byte, k *rollupKey) error {
	if len(b) == 0 || b[0] != tableRollup {
		return errKey
	}
	var err error
	if k.site, b, err = cutSite(b[1:]); err != nil {
		return err
	}
	if len(b) < 12 || window.Kind(b[0]) >= window.NumKinds || window.Family(b[1]) >= window.NumFamilies {
		return errKey
	}
	k.kind, k.family, k.start, k.shard = window.Kind(b[0]), window.Family(b[1]), readTime(b[2:]), binary.BigEndian.Uint16(b[10:])
	b = b[12:]
	k.dims = [2]string{}
	for i := range k.family.Dims() {
		if k.dims[i], b, err = cutValue(b); err != nil {
			return err
		}
	}
	if len(b) != 0 {
		return errKey
	}
	return nil
}

func appendWindowKey(dst []byte, w *window.Window) []byte {
	dst = append(appendSite(append(dst, tableWindow), w.Site), byte(w.Kind))
	return binary.BigEndian.AppendUint16(appendTime(dst, w.Start), w.Shard)
}

// decodeWindowKey reads what appendWindowKey wrote into all of w that is in it. The site is a view
// of b.
func decodeWindowKey(b []byte, w *window.Window) error {
	if len(b) == 0 || b[0] != tableWindow {
		return errKey
	}
	site, rest, err := cutSite(b[1:])
	if err != nil || len(rest) != 1+8+2 {
		return errKey
	}
	w.Kind, w.Site, w.Start, w.Shard = window.Kind(rest[0]), site, readTime(rest[1:]), binary.BigEndian.Uint16(rest[9:])
	return nil
}

func appendProgressKey(dst []byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, tableProgress), uint32(partition)^1<<31)
}

func decodeProgressKey(b []byte) (partition int32, err error) {
	if len(b) != 5 || b[0] != tableProgress {
		return 0, errKey
	}
	return int32(binary.BigEndian.Uint32(b[1:]) ^ 1<<31), nil
}

// view returns b as a string that shares its memory.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

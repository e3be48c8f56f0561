package known

import "strconv"

const (
	// OneByte is the number of values that one byte can hold.
	OneByte = 128
	// Max is the number of values that two bytes can hold.
	Max = OneByte + 32<<8
)

// Number returns the number of a value, or -1.
func Number(s string) int { return all.number(s) }

// Len returns how many numbers there are.
func Len() int { return len(all.values) }

// Value returns the value of a number below Len; "" if the number is free.
func Value(n int) string { return all.values[n] }

var all = makeTable()

type table struct {
	values []string
	slots  [1 << slotBits]uint32 // check<<16 | number + 1, by hash, linear probing; 0 is empty
	maxLen [256]int              // of the values that begin with a byte: paths are not looked for
}

const slotBits = 12

func makeTable() *table {
	t := &table{}
	for _, s := range first {
		t.add(s)
	}
	for len(t.values) < OneByte {
		t.values = append(t.values, "") // free for what comes to be used most
	}
	for _, list := range [][]string{countries, languages, agents, sources, referrers} {
		for _, s := range list {
			t.add(s)
		}
	}
	for i := range 250 {
		t.add(strconv.Itoa(i)) // versions of browsers and systems
	}
	return t
}

func (t *table) add(s string) {
	h := hash(s)
	i := h >> (32 - slotBits)
	for ; t.slots[i] != 0; i = (i + 1) % (1 << slotBits) {
		if t.values[t.slots[i]&0xffff-1] == s {
			return
		}
	}
	t.values = append(t.values, s)
	t.slots[i] = h<<16 | uint32(len(t.values))
	t.maxLen[s[0]] = max(t.maxLen[s[0]], len(s))
}

// hash looks at three bytes and the length: most values that are not known meet an empty slot or
// another check.
func hash(s string) uint32 {
	n := len(s)
	return (uint32(s[0]) | uint32(s[n/2])<<8 | uint32(s[n-1])<<16 | uint32(n)<<24) * 0x9e3779b1
}

func (t *table) number(s string) int {
	if len(s) == 0 || len(s) > t.maxLen[s[0]] {
		return -1
	}
	h := hash(s)
	for i := h >> (32 - slotBits); ; i = (i + 1) % (1 << slotBits) {
		slot := t.slots[i]
		if slot == 0 {
			return -1
		}
		if slot>>16 == h&0xffff {
			if n := int(slot&0xffff) - 1; t.values[n] == s {
				return n
			}
		}
	}
}

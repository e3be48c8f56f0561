package geotest

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"os"
	"slices"
	"testing"
)

// File is what goes into a file.
type File struct {
	// Type is the type of the database. Default "Test-City".
	Type string
	// IPVersion is 4 for a tree of IPv4 addresses alone. Default 6, with IPv4 in ::/96.
	IPVersion int
	// RecordSize is 24, 28 or 32 bits. Default 28.
	RecordSize int
	// Networks are records by network. Where networks overlap the longer prefix counts. A record is of Map, List, string,
	// int (as an unsigned number of 32 bits) and bool.
	Networks map[string]any
}

// Map and List are the compound values of a record.
type (
	Map  = map[string]any
	List = []any
)

// City is a record as GeoLite2-City and GeoIP2-City have it. A region of "" and an id of 0 are left out.
func City(country, region, regionName string, id int, name string) Map {
	m := Map{"country": Map{"iso_code": country, "geoname_id": 1, "names": Map{"de": "?", "en": "?"}}}
	if region != "" {
		m["subdivisions"] = List{Map{"iso_code": region, "names": Map{"en": regionName}}, Map{"iso_code": "2ND"}}
	}
	if name != "" {
		m["city"] = Map{"names": Map{"de": name + " (de)", "en": name, "fr": name}}
	}
	if id != 0 {
		m["city"].(Map)["geoname_id"] = id
	}
	m["location"] = Map{"time_zone": "Etc/UTC", "accuracy_radius": 5}
	return m
}

// Write writes a file.
func Write(tb testing.TB, path string, f File) {
	tb.Helper()
	if err := os.WriteFile(path, Bytes(tb, f), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Bytes returns the bytes of a file.
func Bytes(tb testing.TB, f File) []byte {
	tb.Helper()
	if f.Type == "" {
		f.Type = "Test-City"
	}
	if f.RecordSize == 0 {
		f.RecordSize = 28
	}
	if f.IPVersion == 0 {
		f.IPVersion = 6
	}
	mustPrefix := func(tb testing.TB, s string) netip.Prefix {
		tb.Helper()
		return mustPrefix(tb, s, f.IPVersion)
	}
	t := tree{nodes: make([][2]int, 1)}
	var data []byte
	// Short prefixes first: longer ones then split them. Equal texts in a fixed order.
	nets := slices.Collect(maps.Keys(f.Networks))
	slices.SortFunc(nets, func(a, b string) int {
		if d := mustPrefix(tb, a).Bits() - mustPrefix(tb, b).Bits(); d != 0 {
			return d
		}
		return mustPrefix(tb, a).Addr().Compare(mustPrefix(tb, b).Addr())
	})
	for _, n := range nets {
		t.insert(mustPrefix(tb, n), -1-len(data))
		data = appendValue(tb, data, f.Networks[n])
	}
	out := t.append(tb, f.RecordSize)
	out = append(out, make([]byte, 16)...)
	out = append(out, data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return appendValue(tb, out, Map{
		"binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_772_625_600,
		"database_type": f.Type, "description": Map{"en": "made up"}, "ip_version": f.IPVersion, "languages": List{"en"},
		"node_count": len(t.nodes), "record_size": f.RecordSize,
	})
}

// mustPrefix returns a network as it is in a tree: in one of IPv6, IPv4 lies in ::/96; in one of IPv4 its
// bits are the first.
func mustPrefix(tb testing.TB, s string, version int) netip.Prefix {
	tb.Helper()
	p, err := netip.ParsePrefix(s)
	if err != nil {
		tb.Fatal(err)
	}
	if version == 4 && !p.Addr().Is4() {
		tb.Fatalf("%s in a tree of IPv4", s)
	}
	if p.Addr().Is4() {
		at := 12
		if version == 4 {
			at = 0
		}
		var b [16]byte
		a := p.Addr().As4()
		copy(b[at:], a[:])
		p = netip.PrefixFrom(netip.AddrFrom16(b), p.Bits()+8*at)
	}
	return p.Masked()
}

// tree is the search tree. A branch is the number of a node, 0 for nothing, or -1-pos for a record at pos of the data.
type tree struct{ nodes [][2]int }

func (t *tree) insert(p netip.Prefix, leaf int) {
	addr := p.Addr().As16()
	node := 0
	for i := range p.Bits() {
		side := int(addr[i/8]>>(7-i%8)) & 1
		next := &t.nodes[node][side]
		if i == p.Bits()-1 {
			*next = leaf
			return
		}
		if *next <= 0 { // nothing, or a shorter prefix, whose record goes down to both sides
			t.nodes = append(t.nodes, [2]int{*next, *next})
			t.nodes[node][side] = len(t.nodes) - 1
			next = &t.nodes[node][side]
		}
		node = *next
	}
}

func (t *tree) append(tb testing.TB, size int) []byte {
	tb.Helper()
	count := len(t.nodes)
	record := func(branch int) uint32 {
		switch {
		case branch == 0:
			return uint32(count)
		case branch < 0:
			return uint32(count + 16 - 1 - branch)
		}
		return uint32(branch)
	}
	var out []byte
	for _, n := range t.nodes {
		a, b := record(n[0]), record(n[1])
		switch size {
		case 24:
			out = append(out, byte(a>>16), byte(a>>8), byte(a), byte(b>>16), byte(b>>8), byte(b))
		case 28:
			out = append(out, byte(a>>16), byte(a>>8), byte(a), byte(a>>24)<<4|byte(b>>24), byte(b>>16), byte(b>>8), byte(b))
		case 32:
			out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, a), b)
		default:
			tb.Fatalf("records of %d bits", size)
		}
	}
	return out
}

// The numbers of types.
const (
	typeString = 2
	typeUint32 = 6
	typeMap    = 7
	typeArray  = 11
	typeBool   = 14
)

func appendValue(tb testing.TB, dst []byte, v any) []byte {
	tb.Helper()
	switch v := v.(type) {
	case string:
		return append(appendControl(tb, dst, typeString, len(v)), v...)
	case int:
		return binary.BigEndian.AppendUint32(appendControl(tb, dst, typeUint32, 4), uint32(v))
	case bool:
		size := 0
		if v {
			size = 1
		}
		return appendControl(tb, dst, typeBool, size)
	case Map:
		dst = appendControl(tb, dst, typeMap, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			dst = appendValue(tb, appendValue(tb, dst, key), v[key])
		}
		return dst
	case List:
		dst = appendControl(tb, dst, typeArray, len(v))
		for _, item := range v {
			dst = appendValue(tb, dst, item)
		}
		return dst
	}
	tb.Fatalf("a record can't hold a %T", v)
	return nil
}

// appendControl appends the byte, or bytes, of type and size.
func appendControl(tb testing.TB, dst []byte, kind, size int) []byte {
	tb.Helper()
	short, more := size, []byte(nil)
	switch {
	case size < 29:
	case size < 29+256:
		short, more = 29, []byte{byte(size - 29)}
	case size < 285+1<<16:
		short, more = 30, []byte{byte((size - 285) >> 8), byte(size - 285)}
	default:
		tb.Fatalf("a value of %d bytes", size)
	}
	if kind > 7 {
		dst = append(dst, byte(short), byte(kind-7))
	} else {
		dst = append(dst, byte(kind<<5|short))
	}
	return append(dst, more...)
}

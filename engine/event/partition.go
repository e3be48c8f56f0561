package event

import (
	"hash"
	"strconv"
	"strings"
)

// keyMark starts a record key that names its partition. No site id can hold it.
const keyMark = '#'

// Partition returns the partition, 0 to partitions-1, of a site's shard. Shard is 0 for every site that is
// not configured with more than one.
//
// The hash is 32-bit FNV-1a over site, a zero byte and the shard: stable for ever, because a topic's
// contents depend on it, and not related to the hash that feeds the sketches.
func Partition(site string, shard uint16, partitions int32) int32 {
	return int32(siteHash(site, shard) % uint32(partitions))
}

func siteHash(site string, shard uint16) uint32 {
	const offset32, prime32 = 2166136261, 16777619
	h := uint32(offset32)
	for i := 0; i < len(site); i++ {
		h = (h ^ uint32(site[i])) * prime32
	}
	for _, c := range [3]byte{0, byte(shard >> 8), byte(shard)} {
		h = (h ^ uint32(c)) * prime32
	}
	// FNV's low bits are weak for keys that differ in the last byte only; fold the high half in. The sign
	// bit is cleared because Kafka clients differ in what they do with a negative hash.
	return (h ^ h>>15) & 0x7fffffff
}

// Key returns the record key that names a partition: "#" and its number.
func Key(partition int32) string { return string(keyMark) + strconv.Itoa(int(partition)) }

// ShardOf returns the number that tells a site's windows of one partition from those of another: 0 in the partition
// that the site has by default, else the least shard that lies in this one.
func ShardOf(site string, partition int32, partitions int) uint16 {
	for shard := range uint16(1<<16 - 1) {
		if siteHash(site, shard)%uint32(partitions) == uint32(partition) {
			return shard
		}
	}
	return 1<<16 - 1
}

// Hash maps a record key to a number whose remainder by the number of partitions is the record's
// partition: the number a "#" key names, or the hash of site and shard for a window key. Any other key is
// hashed as a site. With equal partition counts a site's windows so lie in the partition of the same number as
// its events.
func Hash(key string) uint32 {
	if len(key) > 1 && key[0] == keyMark {
		if n, err := strconv.ParseUint(key[1:], 10, 31); err == nil {
			return uint32(n)
		}
	}
	site, rest, _ := strings.Cut(key, "|")
	_, shard, _ := strings.Cut(rest, "|")
	n, err := strconv.ParseUint(shard, 10, 16)
	if err != nil {
		n = 0
	}
	return siteHash(site, uint16(n))
}

// NewHasher returns Hash as a hash.Hash32, the form goka and Sarama want it in.
func NewHasher() hash.Hash32 { return &hasher{} }

type hasher struct{ key []byte }

func (h *hasher) Write(p []byte) (int, error) { h.key = append(h.key, p...); return len(p), nil }
func (h *hasher) Sum32() uint32               { return Hash(string(h.key)) }
func (h *hasher) Reset()                      { h.key = h.key[:0] }
func (h *hasher) Size() int                   { return 4 }
func (h *hasher) BlockSize() int              { return 1 }
func (h *hasher) Sum(b []byte) []byte {
	s := h.Sum32()
	return append(b, byte(s>>24), byte(s>>16), byte(s>>8), byte(s))
}

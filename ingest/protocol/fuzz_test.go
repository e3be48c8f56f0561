package protocol

import (
	"errors"
	"testing"
)

// FuzzUnpack: no packed body panics or gives more than the limit.
func FuzzUnpack(f *testing.F) {
	for i, body := range []string{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\x78\x9c\x03\x00", "\x0b\x02\x80abc\x03", "\x28\xb5\x2f\xfd\x04\x00"} {
		f.Add(uint8(i), []byte(body))
	}
	u := newUnpacker(10_000)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		out, err := u.bytes([]string{"gzip", "deflate", "br", "zstd"}[which%4], body, nil)
		if len(out) > 10_001 || len(out) == 10_001 && !errors.Is(err, errUnpacked) {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
	})
}

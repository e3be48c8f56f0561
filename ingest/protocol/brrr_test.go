package protocol

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestBrrr: fasthttp packs and unpacks with internal/brrr, which go.mod puts in the place of another
// module. A collector has it do neither, see unpack.go; a later fasthttp may.
func TestBrrr(t *testing.T) {
	for level := -1; level <= 12; level++ { // what is no level becomes one
		want := bytes.Repeat(fmt.Appendf(nil, "a text for level %d. ", level), 100)
		packed := fasthttp.AppendBrotliBytesLevel(nil, want, level)
		if level > 0 && len(packed) > len(want)/4 {
			t.Errorf("level %d: %d bytes have become %d", level, len(want), len(packed))
		}
		if got, err := fasthttp.AppendUnbrotliBytes(nil, packed); err != nil || !bytes.Equal(got, want) {
			t.Errorf("level %d: %q, %v", level, got, err)
		}
		if got, err := fasthttp.AppendUnbrotliBytes(nil, packed[:len(packed)/2]); err == nil {
			t.Errorf("level %d: %q of half a stream", level, got)
		}
		if got, err := fasthttp.AppendUnbrotliBytes(nil, append(packed, 0)); err == nil {
			t.Errorf("level %d: %q of a stream with a byte behind its end", level, got)
		}
	}
}

// Package zstd takes the place of github.com/DataDog/zstd, which Pebble links where there is cgo.
// Nothing of Millrace has Pebble compress with zstd, but the 33 s of processor that its C takes to
// compile were a fifteenth of all that a first `go test ./...` needs, and every first `go run` paid
// them too. go.mod puts this module in its place.
//
// It has what Pebble calls, over the library that Pebble itself uses without cgo, as in releases.
// So a program that somebody builds at home and a released one are the same here, and a block that
// one of them has written the other reads.
package zstd

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Ctx compresses and decompresses blocks. It may be used by one goroutine at a time.
type Ctx interface {
	// CompressLevel returns src as a frame, in dst where that has the capacity of CompressBound.
	CompressLevel(dst, src []byte, level int) ([]byte, error)
	// DecompressInto puts the content of a frame into dst and returns its length. It is an error if
	// dst is shorter.
	DecompressInto(dst, src []byte) (int, error)
}

// NewCtx returns a Ctx.
func NewCtx() Ctx { return ctx{} }

// CompressBound returns the most that a block of so many bytes can become: what cannot be
// compressed is stored in blocks of 128 KiB at most, each with a header of 3 bytes, between 18
// bytes of the frame's header and 4 of its checksum. It is above that, and rises with size.
func CompressBound(size int) int { return size + size>>8 + 64 }

var errShort = errors.New("zstd: the content is larger than the buffer for it")

type ctx struct{}

func (ctx) CompressLevel(dst, src []byte, level int) ([]byte, error) {
	e, err := encoder(level)
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(src, dst[:0]), nil
}

func (ctx) DecompressInto(dst, src []byte) (int, error) {
	d, err := decoder()
	if err != nil {
		return 0, err
	}
	out, err := d.DecodeAll(src, dst[:0])
	switch {
	case err != nil:
		return 0, err
	case len(out) > len(dst):
		return 0, errShort
	}
	// The library takes memory of its own where it can't tell beforehand that dst is enough.
	if len(out) > 0 && &out[0] != &dst[0] {
		copy(dst, out)
	}
	return len(out), nil
}

// encoders are one for each level of the library: EncodeAll may be called at the same time.
var encoders sync.Map // zstd.EncoderLevel -> *zstd.Encoder

func encoder(level int) (*zstd.Encoder, error) {
	l := zstd.EncoderLevelFromZstd(level)
	if e, ok := encoders.Load(l); ok {
		return e.(*zstd.Encoder), nil
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	was, _ := encoders.LoadOrStore(l, e)
	return was.(*zstd.Encoder), nil
}

var decoder = sync.OnceValues(func() (*zstd.Decoder, error) { return zstd.NewReader(nil) })

package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// errUnpacked: the output is larger than the limit.
var errUnpacked = errors.New("unpacks to more than the limit")

// The largest windows that are accepted, 4 MiB both: decoders allocate them at once. Brotli's, as a
// power of two, is what encoders use by default; the format goes to 24. Zstandard's is what its
// levels up to 17 use.
const (
	maxBrotliWindow = 22
	maxZstdWindow   = 4 << 20
)

// unpacker unpacks bodies. No more than a few at a time, because decoders are what costs memory; it
// is work of a millisecond that waits for nothing.
type unpacker struct {
	most   int
	turns  chan struct{}
	gzips  *sync.Pool
	zstds  *sync.Pool
	limits []zstd.DOption
}

func newUnpacker(most int) unpacker {
	return unpacker{
		most:  most,
		turns: make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		gzips: &sync.Pool{New: func() any { return new(gzip.Reader) }},
		zstds: &sync.Pool{},
		limits: []zstd.DOption{
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow),
		},
	}
}

// bytes appends the unpacked src to dst.
func (u *unpacker) bytes(encoding string, src, dst []byte) ([]byte, error) {
	u.turns <- struct{}{}
	defer func() { <-u.turns }()
	switch encoding {
	case "gzip", "x-gzip":
		z := u.gzips.Get().(*gzip.Reader)
		defer u.gzips.Put(z)
		if err := z.Reset(bytes.NewReader(src)); err != nil {
			return dst, err
		}
		return u.read(z, dst)
	case "deflate":
		// The standard means zlib; some senders mean bare deflate. The first two bytes show which.
		if len(src) > 1 && src[0]&0x0f == 8 && (int(src[0])<<8|int(src[1]))%31 == 0 {
			z, err := zlib.NewReader(bytes.NewReader(src))
			if err != nil {
				return dst, err
			}
			return u.read(z, dst)
		}
		return u.read(flate.NewReader(bytes.NewReader(src)), dst)
	case "br":
		if w := brotliWindow(src); w > maxBrotliWindow {
			return dst, fmt.Errorf("a window of 2^%d bytes, at most 2^%d is accepted", w, maxBrotliWindow)
		}
		return u.read(brotli.NewReader(bytes.NewReader(src)), dst)
	case "zstd":
		return u.zstd(src, dst)
	}
	return dst, errors.New("not supported: use gzip, deflate, br or zstd")
}

func (u *unpacker) zstd(src, dst []byte) ([]byte, error) {
	z, ok := u.zstds.Get().(*zstd.Decoder)
	if !ok {
		var err error
		if z, err = zstd.NewReader(nil, u.limits...); err != nil {
			return dst, err
		}
	}
	defer func() {
		_ = z.Reset(nil) // only lets go of src
		u.zstds.Put(z)
	}()
	if err := z.Reset(bytes.NewReader(src)); err != nil {
		return dst, err
	}
	dst, err := u.read(z, dst)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = errUnpacked
	}
	return dst, err
}

// read appends what z gives, up to the limit.
func (u *unpacker) read(z io.Reader, dst []byte) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			grown := make([]byte, len(dst), min(max(4*cap(dst), 4*readBlock), u.most+1))
			copy(grown, dst)
			dst = grown
		}
		n, err := z.Read(dst[len(dst):min(cap(dst), u.most+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > u.most:
			return dst, errUnpacked
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// brotliWindow returns the power of two of a stream's window (RFC 7932, section 9.1), 0 if there is
// none.
func brotliWindow(src []byte) int {
	if len(src) == 0 {
		return 0
	}
	b := int(src[0])
	switch {
	case b&1 == 0:
		return 16
	case b>>1&7 != 0:
		return 17 + b>>1&7
	case b>>4&7 == 0:
		return 17
	case b>>4&7 == 1:
		return 64 // a large window, outside the standard
	}
	return 8 + b>>4&7
}

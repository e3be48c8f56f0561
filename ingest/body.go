package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// readBlock is what a body's memory grows by at least.
const readBlock = 4 << 10

// body returns the body of a request, unpacked. It is memory of r, or of ctx, and counts towards r.charged until r is
// released.
//
// Memory is reserved as bytes arrive, not as announced: a sender who announces a megabyte and then stalls holds a
// block, not a megabyte.
func (c *Collector) body(ctx *fasthttp.RequestCtx, r *request) ([]byte, *refusal) {
	encoding := strings.ToLower(string(ctx.Request.Header.ContentEncoding()))
	packed := encoding != "" && encoding != "identity"
	raw, whole, ref := c.raw(ctx, r)
	if ref != nil {
		return nil, ref
	}
	if !packed {
		if !whole {
			return nil, c.tooLarge()
		}
		return raw, nil
	}
	// What unpacks to more than the limit within its first bytes is a bomb, whatever its length; what doesn't although it is
	// cut off at the limit is merely too large.
	out, err := c.unpack.bytes(encoding, raw, r.unpacked[:0])
	r.unpacked = out[:0]
	switch {
	case errors.Is(err, errUnpacked):
		return nil, badRequest(reasonEncoding, "", fmt.Sprintf("the body unpacks to more than %d bytes", c.opts.MaxBodyBytes))
	case !whole:
		return nil, c.tooLarge()
	case err != nil:
		return nil, badRequest(reasonEncoding, "", "content-encoding "+quote(encoding)+": "+clip(err.Error()))
	}
	if !r.charge(&c.pending, len(out)) {
		return nil, refuseCapacity
	}
	return out, nil
}

func (c *Collector) tooLarge() *refusal {
	return &refusal{status: fasthttp.StatusRequestEntityTooLarge, reason: reasonTooLarge,
		msg: fmt.Sprintf("the body is larger than %d bytes", c.opts.MaxBodyBytes)}
}

// raw reads the body as it was sent, at most the limit; whole tells if that was all. What is refused is read to its end
// and thrown away, because a connection that is closed with bytes unread is reset, and the sender never sees the answer.
func (c *Collector) raw(ctx *fasthttp.RequestCtx, r *request) (raw []byte, whole bool, ref *refusal) {
	raw, whole, ref = c.read(ctx, r)
	if (!whole || ref != nil) && ctx.Request.IsBodyStream() {
		_, _ = io.CopyN(io.Discard, ctx.Request.BodyStream(), maxDiscard) // the answer is the same whatever comes
	}
	return raw, whole, ref
}

// maxDiscard is how much of a refused body is read. The time for it is the server's ReadTimeout.
const maxDiscard = 16 << 20

func (c *Collector) read(ctx *fasthttp.RequestCtx, r *request) (raw []byte, whole bool, ref *refusal) {
	most := c.opts.MaxBodyBytes
	if !ctx.Request.IsBodyStream() {
		raw = ctx.Request.Body()
		if !r.charge(&c.pending, len(raw)) {
			return nil, false, refuseCapacity
		}
		return raw[:min(len(raw), most)], len(raw) <= most, nil
	}
	stream := ctx.Request.BodyStream()
	b := r.raw[:0]
	for len(b) <= most {
		if len(b) == min(cap(b), r.charged) {
			want := min(max(4*len(b), readBlock), most+1)
			if !r.charge(&c.pending, max(want-r.charged, 0)) {
				return nil, false, refuseCapacity
			}
			if cap(b) < want {
				b = append(make([]byte, 0, want), b...) // slices.Grow would take more than was reserved
			}
		}
		n, err := stream.Read(b[len(b):min(cap(b), r.charged, most+1)])
		b = b[:len(b)+n]
		r.raw = b
		if errors.Is(err, io.EOF) {
			if cutShort(ctx, len(b)) {
				return nil, false, badRequest(reasonInvalid, "", "the connection has ended before the body")
			}
			break
		}
		if err != nil {
			return nil, false, badRequest(reasonInvalid, "", "read the body: "+clip(err.Error()))
		}
	}
	return b[:min(len(b), most)], len(b) <= most, nil
}

// cutShort reports whether a streamed body of which so many bytes came ended with its connection and not at its end, which
// is one to fasthttp: what came may be lines that can be read, of a sender who will send all of them again.
func cutShort(ctx *fasthttp.RequestCtx, got int) bool {
	if n := ctx.Request.Header.ContentLength(); n >= 0 {
		return got < n
	}
	// It is chunked. At its end it is read from the connection no more, so that it does not notice that there is no time left to;
	// fasthttp sets the time anew for the next request.
	if err := ctx.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return true
	}
	_, err := ctx.Request.BodyStream().Read(make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

// errUnpacked: the output is larger than the limit.
var errUnpacked = errors.New("unpacks to more than the limit")

// The largest windows that are accepted, 4 MiB both: decoders allocate them at once. Brotli's, as a power of two, is what
// encoders use by default; the format goes to 24. Zstandard's is what its levels up to 17 use.
const (
	maxBrotliWindow = 22
	maxZstdWindow   = 4 << 20
)

// unpacker unpacks bodies. No more than a few at a time, because decoders are what costs memory; it is work
// of a millisecond and waits for nobody.
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
		// The standard means zlib; some senders mean bare deflate. The first two bytes tell.
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

// brotliWindow returns the power of two of a stream's window (RFC 7932, section 9.1), 0 if there is none.
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

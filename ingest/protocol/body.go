package protocol

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/internal/strictjson"
)

// readBlock is what a body's memory grows by at least.
const readBlock = 4 << 10

// Memory is what a request may hold of the collector's memory. All of it is given back when the
// request has been answered.
type Memory interface {
	// Reserve takes n bytes more, or reports that there are none.
	Reserve(n int) bool
	// Reserved returns how many bytes have been taken.
	Reserved() int
}

// Bodies reads and unpacks bodies up to a size. It may be used from any number of goroutines.
//
// Memory is reserved as bytes arrive, not as announced: a sender who announces a megabyte and then
// stalls holds a block, not a megabyte.
type Bodies struct {
	most   int
	unpack unpacker
}

// NewBodies returns a Bodies of which none, as sent and unpacked, is larger than most bytes.
func NewBodies(most int) *Bodies { return &Bodies{most, newUnpacker(most)} }

// Most returns the size of the largest body in bytes.
func (b *Bodies) Most() int { return b.most }

// TooLarge returns the refusal of a larger one.
func (b *Bodies) TooLarge() *Refusal {
	return &Refusal{Status: fasthttp.StatusRequestEntityTooLarge, Reason: ReasonTooLarge,
		Msg: fmt.Sprintf("the body is larger than %d bytes", b.most)}
}

// NoMemory returns the refusal of a request for which there is no memory.
func NoMemory() *Refusal { return noMemory }

var noMemory = &Refusal{Status: fasthttp.StatusServiceUnavailable, Reason: ReasonCapacity, RetryAfter: "1",
	Msg: "over capacity, try again"}

// read returns the body of a request, unpacked. It is memory of r, or of its Ctx.
func (b *Bodies) read(r *Request, encoding string, byContent bool) ([]byte, *Refusal) {
	raw, whole, ref := b.Raw(r.Ctx, r.Memory, &r.raw)
	r.roomy = r.Ctx.Request.IsBodyStream()
	if ref != nil {
		return nil, ref
	}
	if byContent {
		encoding = packing(raw, encoding)
	}
	if encoding == "" || encoding == "identity" {
		if !whole {
			return nil, b.TooLarge()
		}
		return raw, nil
	}
	// What unpacks to more than the limit within its first bytes is a bomb, whatever its length; what
	// does not although it is cut off at the limit is merely too large.
	r.roomy = false
	out, err := b.unpack.bytes(encoding, raw, r.unpacked[:0])
	r.unpacked = out[:0]
	switch {
	case errors.Is(err, errUnpacked):
		return nil, BadRequest(ReasonEncoding, "", fmt.Sprintf("the body unpacks to more than %d bytes", b.most))
	case !whole:
		return nil, b.TooLarge()
	case err != nil:
		return nil, BadRequest(ReasonEncoding, "", "content-encoding "+Quote(encoding)+": "+Clip(err.Error()))
	}
	if !r.Memory.Reserve(len(out)) {
		return nil, noMemory
	}
	return out, nil
}

// packing returns what a body is packed by that is said to be in an encoding.
func packing(raw []byte, encoding string) string {
	switch zipped := len(raw) > 1 && raw[0] == 0x1f && raw[1] == 0x8b; {
	case zipped:
		return "gzip"
	case encoding == "gzip" || encoding == "x-gzip":
		return ""
	}
	return encoding
}

// Raw reads a body as it was sent, at most the limit, into buf where it is a stream; whole reports
// whether that was all. What is refused is read to its end and thrown away, because a connection
// that is closed with bytes unread is reset, and the sender never sees the answer.
func (b *Bodies) Raw(ctx *fasthttp.RequestCtx, memory Memory, buf *[]byte) (raw []byte, whole bool, ref *Refusal) {
	if !ctx.Request.IsBodyStream() {
		raw = ctx.Request.Body()
		if !memory.Reserve(len(raw)) {
			return nil, false, noMemory
		}
		return raw[:min(len(raw), b.most)], len(raw) <= b.most, nil
	}
	raw, whole, ref = b.stream(ctx, memory, buf)
	if !whole || ref != nil {
		_, _ = io.CopyN(io.Discard, ctx.Request.BodyStream(), maxDiscard) // the answer is the same whatever comes
	}
	return raw, whole, ref
}

// maxDiscard is how much of a refused body is read. The time for it is the server's ReadTimeout.
const maxDiscard = 16 << 20

// stream reads a streamed body. Behind it is room for the padding of a strictjson.Parser.
func (b *Bodies) stream(ctx *fasthttp.RequestCtx, memory Memory, buf *[]byte) (raw []byte, whole bool, ref *Refusal) {
	stream := ctx.Request.BodyStream()
	raw = (*buf)[:0]
	for len(raw) <= b.most {
		if len(raw) >= min(cap(raw), memory.Reserved())-strictjson.Padding {
			want := min(max(4*len(raw), readBlock), b.most+1+strictjson.Padding)
			if !memory.Reserve(max(want-memory.Reserved(), 0)) {
				return nil, false, noMemory
			}
			if cap(raw) < want {
				raw = append(make([]byte, 0, want), raw...) // slices.Grow would take more than was reserved
			}
		}
		n, err := stream.Read(raw[len(raw):min(min(cap(raw), memory.Reserved())-strictjson.Padding, b.most+1)])
		raw = raw[:len(raw)+n]
		*buf = raw
		if errors.Is(err, io.EOF) {
			if cutShort(ctx, len(raw)) {
				return nil, false, BadRequest(ReasonInvalid, "", "the connection has ended before the body")
			}
			break
		}
		if err != nil {
			return nil, false, BadRequest(ReasonInvalid, "", "read the body: "+Clip(err.Error()))
		}
	}
	return raw[:min(len(raw), b.most)], len(raw) <= b.most, nil
}

// cutShort reports whether a streamed body of which so many bytes came ended with its connection
// and not at its end, which is one to fasthttp: what came may be lines that can be read, of a
// sender who will send all of them again.
func cutShort(ctx *fasthttp.RequestCtx, got int) bool {
	if n := ctx.Request.Header.ContentLength(); n >= 0 {
		return got < n
	}
	// It is chunked. At its end it is read from the connection no more, so that it does not notice
	// that there is no time left to; fasthttp sets the time anew for the next request.
	if err := ctx.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return true
	}
	_, err := ctx.Request.BodyStream().Read(make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

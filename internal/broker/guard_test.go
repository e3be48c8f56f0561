package broker

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func frame(size uint32, key, version int16, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	return append(b, rest...)
}

// kfake alone dies of the second of these, and with it the process.
func TestBadRequestsCloseTheirConnection(t *testing.T) {
	for _, o := range []Options{{}, {TCP: true}} {
		o.Logger = slog.New(slog.DiscardHandler)
		b := mustOpen(t, o)
		f := func(raw []byte) {
			t.Helper()
			c, err := b.DialContext(testContext(t), "tcp", b.Addrs()[0])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(raw); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, err := c.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
				t.Fatalf("read %d bytes, %v; want a closed connection", n, err)
			}
		}
		f([]byte("GET / HTTP/1.1\r\n\r\n"))
		f(frame(12, 999, 0, make([]byte, 8)...))
		f(frame(12, -1, 0, make([]byte, 8)...))
		f(frame(12, kmsg.MaxKey+1, 0, make([]byte, 8)...))
		f(frame(12, 4, 0, make([]byte, 8)...)) // known to Kafka, not to kfake
		f(frame(12, 0, -1, make([]byte, 8)...))
		f(frame(3, 0, 0))
		f(frame(maxRequestBytes+1, 0, 0))
		f(frame(12, 0, 3, make([]byte, 8)...)) // a produce request without a body

		c := mustClient(t, b) // alive
		mustCreate(t, c, testTopic, 1, nil)
		mustProduce(t, c, testTopic, 0, 1)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

type readConn struct {
	net.Conn
	r io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// FuzzGuard: what passes is a prefix of what came, of whole frames that each were checked.
func FuzzGuard(f *testing.F) {
	ok := frame(8, 3, 0, 0, 0, 0, 1)
	f.Add(ok)
	f.Add(append(bytes.Clone(ok), ok...))
	f.Add(append(bytes.Clone(ok), frame(8, 999, 0, 0, 0, 0, 1)...))
	f.Add(ok[:5])
	g := newGuard(slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &guardConn{Conn: readConn{r: iotest.HalfReader(bytes.NewReader(raw))}, guard: g}
		got, _ := io.ReadAll(iotest.OneByteReader(c))
		if !bytes.HasPrefix(raw, got) {
			t.Fatalf("passed %x of %x", got, raw)
		}
		want := 0
		for rest := raw; len(rest) >= frameHead; {
			left, err := g.check((*[frameHead]byte)(rest))
			if err != nil {
				break
			}
			n := min(frameHead+left, len(rest))
			want += n
			rest = rest[n:]
		}
		if len(got) != want {
			t.Fatalf("passed %d bytes, want %d of %x", len(got), want, raw)
		}
	})
}

package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Answers tries one of the addresses to start from: whether a broker answers there.
func (c *Cluster) Answers(ctx context.Context, addr string) (found string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	one := &Cluster{Brokers: []string{addr}, Security: c.Security, Dialer: c.Dialer, Rack: c.Rack}
	// franz-go waits that long for an answer, whatever the context says.
	deadline, _ := ctx.Deadline()
	client, err := one.tryClient(kgo.RequestTimeoutOverhead(max(time.Until(deadline), 100*time.Millisecond)), kgo.RequestRetries(0))
	if err != nil {
		return "", err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return "", fmt.Errorf("%s is one of the addresses of --kafka: %w", addr, one.Explain(ctx, err))
	}
	return "", nil
}

// isSilent reports an error that means that no answer came in time.
func isSilent(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

// foreign returns what is wrong with the first address that takes connections and does not answer
// as Kafka does, "" if there is none.
func (c *Cluster) foreign(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // it may have ended, which is why this is asked
	defer cancel()
	for _, addr := range c.Brokers {
		conn, err := (dialer{c, dialTimeout}).DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		why := foreignAnswer(ctx, conn)
		_ = conn.Close()
		if why != "" {
			return fmt.Sprintf("%s %s: --kafka wants host:port of a broker's listener", addr, why)
		}
	}
	return ""
}

// foreignAnswer makes the request that each listener of Kafka's answers before a login, ApiVersions
// 0, and returns how the answer differs from Kafka's. A connection that is closed without one says
// nothing: Kafka's listeners do that too.
func foreignAnswer(ctx context.Context, conn net.Conn) string {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return ""
	}
	const (
		apiVersions = 18
		id          = 0x6d69_6c6c
		tlsAlert    = 21 // what a listener with TLS answers to plain text (RFC 8446, 6)
	)
	request := binary.BigEndian.AppendUint32(nil, 10)
	request = binary.BigEndian.AppendUint16(request, apiVersions)
	request = binary.BigEndian.AppendUint16(request, 0)
	request = binary.BigEndian.AppendUint32(request, id)
	request = binary.BigEndian.AppendUint16(request, 0xffff) // no name of the client
	if _, err := conn.Write(request); err != nil {
		return ""
	}
	head := make([]byte, 8)
	n, err := io.ReadFull(conn, head)
	switch {
	case n == 0 && isSilent(err):
		return "takes connections and does not answer, so that it hangs or is no broker"
	case n == 0, n == len(head) && binary.BigEndian.Uint32(head[4:]) == id, head[0] == tlsAlert && head[1] == 3:
		return ""
	case strings.HasPrefix(string(head[:n]), "HTTP/"):
		return "is an HTTP server"
	}
	shown := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, string(head[:n]))
	return fmt.Sprintf("answers %q and so on, which is not Kafka's protocol", shown)
}

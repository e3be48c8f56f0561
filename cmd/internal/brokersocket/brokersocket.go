package brokersocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"millrace/internal/relay"
)

// maxPath is the longest path that every system takes for a socket.
const maxPath = 100

// ErrNone is wrapped by the errors of Dialer's function where no serve with an embedded broker
// answers.
var ErrNone = errors.New("no broker answers in the data folder")

// Path is where the socket of a data folder is.
func Path(data string) string { return filepath.Join(data, "broker.sock") }

// TooLong reports whether the path of a data folder is too long for a socket in it.
func TooLong(data string) bool { return len(Path(data)) > maxPath }

// Listen opens the socket of a data folder. Dial connects to the broker. Where the path is too long
// for a socket, Listen returns neither a relay nor an error: serve does without.
//
// REQUIRES: the data folder's lock.
func Listen(data string, dial func(context.Context) (net.Conn, error)) (*relay.Relay, error) {
	path := Path(data)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a serve that was killed
		return nil, fmt.Errorf("make way for the broker's socket: %w", err)
	}
	if TooLong(data) {
		return nil, nil
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the broker's socket: %w", err)
	}
	return relay.Serve(ln, dial), nil
}

// Dialer returns a function for kgo.Dialer that connects to the embedded broker of the serve that
// runs on a data folder, whatever the address.
func Dialer(data string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", Path(data))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNone, err)
		}
		return conn, nil
	}
}

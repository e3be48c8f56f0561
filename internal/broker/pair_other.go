//go:build !unix

package broker

import (
	"errors"
	"net"
)

// connPair connects two TCP sockets over a loopback port that is open only for this moment, and
// takes the connection only if it is the one it made.
func connPair() (client, server net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	server, err = ln.Accept()
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	if server.RemoteAddr().String() != client.LocalAddr().String() {
		client.Close()
		server.Close()
		return nil, nil, errors.New("somebody else connected")
	}
	return client, server, nil
}

//go:build unix

package broker

import (
	"net"
	"os"
	"syscall"
)

// pairBuffer is requested for each direction of a pair; the kernel grants what it wants. Darwin's
// default is 8 KiB, which costs a switch of threads every 8 KiB.
const pairBuffer = 512 << 10

// connPair returns the two ends of a socketpair(2): real kernel buffers and deadlines, without a
// port.
func connPair() (client, server net.Conn, err error) {
	// Between the two calls no fork may inherit the sockets.
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	client, err = fdConn(fds[0])
	if err != nil {
		syscall.Close(fds[1])
		return nil, nil, err
	}
	server, err = fdConn(fds[1])
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, server, nil
}

func fdConn(fd int) (net.Conn, error) {
	for _, opt := range []int{syscall.SO_SNDBUF, syscall.SO_RCVBUF} {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, opt, pairBuffer) // smaller is only slower
	}
	f := os.NewFile(uintptr(fd), "embedded broker")
	defer f.Close() // FileConn works on a copy
	return net.FileConn(f)
}

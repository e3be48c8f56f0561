package lines

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Reader reads a text line by line, as importers want it: without the line's end, a byte order mark,
// and the NUL bytes that a crash leaves where a file system had space for a line and not its bytes.
// Memory is one line.
type Reader struct {
	in    *bufio.Reader
	most  int
	n     int64
	line  []byte
	fault string
	ended bool
	err   error
}

// NewReader returns the lines of a text; those longer than most bytes have a fault.
func NewReader(in io.Reader, most int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, most), most: most}
}

// Next moves to the next line. It returns false at the end, or at an error of the reader.
func (l *Reader) Next() bool {
	if l.err != nil {
		return false
	}
	l.fault, l.line = "", nil
	nuls := l.skipNULs()
	line, err := l.in.ReadSlice('\n')
	if len(line) == 0 && !nuls {
		l.end(err)
		return false
	}
	l.n++
	l.ended = err == nil
	if errors.Is(err, bufio.ErrBufferFull) {
		l.fault = fmt.Sprintf("longer than %d bytes", l.most)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.in.ReadSlice('\n')
		}
		l.end(err)
		return true
	}
	l.end(err)
	l.line = bytes.TrimRight(bytes.TrimPrefix(line, []byte(byteOrderMark)), "\r\n")
	switch {
	case nuls && len(bytes.TrimSpace(l.line)) == 0:
		l.fault = "nothing but NUL bytes: the machine went down before the line was on disk"
	case bytes.IndexByte(l.line, 0) >= 0:
		l.fault = "NUL bytes within the line: it is damaged, or text in UTF-16"
	}
	return true
}

const byteOrderMark = "\xef\xbb\xbf"

// skipNULs passes over NUL bytes and reports whether there were any.
func (l *Reader) skipNULs() (found bool) {
	for {
		if b, err := l.in.Peek(1); err != nil || b[0] != 0 {
			return found
		}
		found = true
		b, _ := l.in.Peek(l.in.Buffered())
		_, _ = l.in.Discard(len(b) - len(bytes.TrimLeft(b, "\x00"))) // of what is in the buffer
	}
}

func (l *Reader) end(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
}

// Bytes returns the line; it is valid until Next.
func (l *Reader) Bytes() []byte { return l.line }

// Fault returns why the line can't be read, "" if it can.
func (l *Reader) Fault() string { return l.fault }

// Empty reports whether the line has nothing in it.
func (l *Reader) Empty() bool { return l.fault == "" && len(bytes.TrimSpace(l.line)) == 0 }

// Ended reports whether the line has its end; the last one of a file may lack it, and more than
// that. It is false of a line that is too long.
func (l *Reader) Ended() bool { return l.ended }

// Number returns the line's number, from 1.
func (l *Reader) Number() int64 { return l.n }

// Err returns the reader's error, nil at a clean end.
func (l *Reader) Err() error { return l.err }

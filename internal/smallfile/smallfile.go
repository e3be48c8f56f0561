package smallfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrIrregular is wrapped by the error for what is no regular file. A folder has the system's own.
var ErrIrregular = errors.New("a regular file is needed here")

// Read returns the content of a file of at most so many bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil {
		data.Grow(int(min(info.Size(), most)) + bytes.MinRead)
	}
	if _, err := data.ReadFrom(io.LimitReader(f, most+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("the file has more than %d bytes", most)}
	}
	return data.Bytes(), nil
}

// Open opens a file for reading, of any size. What Read refuses it refuses.
func Open(path string) (*os.File, error) {
	// A pipe is known before it is opened: to open it waits for a writer.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() && !isHanded(path, info) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("it is %s: %w", kind(info.Mode()), ErrIrregular)}
	}
	return os.Open(path)
}

// isHanded reports whether a path names a descriptor of this process, or what is empty.
func isHanded(path string, info fs.FileInfo) bool {
	switch path = filepath.Clean(path); {
	case path == "/dev/stdin", strings.HasPrefix(path, "/dev/fd/"), strings.HasPrefix(path, "/proc/self/fd/"):
		return true
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(null, info)
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}

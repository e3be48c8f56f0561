package secretfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"millrace/internal/smallfile"
)

// MaxBytes is the most bytes of a file of secrets: some thousand keys.
const MaxBytes = 1 << 20

// Read returns the lines of a file. Unless there may be many, it has to be one.
func Read(path string, many bool) ([]string, error) {
	data, err := Bytes(path, MaxBytes)
	if err != nil {
		return nil, err
	}
	return Parse(data, many)
}

// Bytes returns the content of a file of at most so many bytes.
func Bytes(path string, most int) ([]byte, error) {
	data, err := smallfile.Read(path, int64(most))
	return data, withoutPath(err)
}

// Parse returns the lines of a file's content. Unless there may be many, it has to be one.
func Parse(data []byte, many bool) ([]string, error) {
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("the file is not text")
	}
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	switch {
	case len(lines) == 0:
		return nil, errors.New("the file is empty")
	case !many && len(lines) > 1:
		return nil, fmt.Errorf("the file has %d lines, where one is wanted", len(lines))
	}
	return lines, nil
}

// withoutPath returns the reason alone.
func withoutPath(err error) error {
	var perr *os.PathError
	if errors.As(err, &perr) {
		return perr.Err
	}
	return err
}

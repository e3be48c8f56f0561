//go:build generated

// Command gen makes the page script smaller, as browsers get it.
//
//	go run -tags generated ./internal/gen script.js script.min.js
//
// The tag keeps the minifier, which takes longer to compile than all of the page script's tests, out of go test ./...;
// CI names it.
//
// The minifier is the one of go.mod, so that everybody's output is the same.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/js"
)

// most is the most bytes that the script may have with gzip.
const most = 1024

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: gen SOURCE RESULT")
		return 2
	}
	source, err := os.ReadFile(args[0])
	if err == nil {
		var small []byte
		if small, err = smaller(source); err == nil {
			err = os.WriteFile(args[1], small, 0o666)
			fmt.Fprintf(stdout, "%d bytes, with gzip %d\n", len(small), packed(small))
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "gen:", err)
		return 1
	}
	return 0
}

// smaller returns a script without what only people need. It is an error if it is too large.
func smaller(source []byte) ([]byte, error) {
	m := minify.New()
	m.AddFunc("js", js.Minify)
	small, err := m.Bytes("js", source)
	if err != nil {
		return nil, err
	}
	if n := packed(small); n > most {
		return nil, fmt.Errorf("the script has %d bytes with gzip, at most %d are allowed", n, most)
	}
	return small, nil
}

// packed returns how many bytes a text has with gzip.
func packed(text []byte) int {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Len()
}

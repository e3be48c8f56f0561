// Package brotli takes the place of github.com/molecule-man/go-brrr, with which fasthttp compresses
// answers and unpacks bodies by brotli. Nothing of Millrace has fasthttp do that, and bodies of
// beacons are unpacked by github.com/andybalholm/brotli, as Parquet's pages are: a second library
// was 5 s of processor of a first `go test ./...`. go.mod puts this module in its place.
//
// It has what fasthttp calls, over that library, which fasthttp itself used before.
package brotli

import (
	"io"

	"github.com/andybalholm/brotli"
)

// The lowest and the highest level of a Writer.
const (
	BestSpeed       = brotli.BestSpeed
	BestCompression = brotli.BestCompression
)

// Reader unpacks a stream.
type Reader struct{ r *brotli.Reader }

// NewReader returns a Reader of what r has.
func NewReader(r io.Reader) *Reader { return &Reader{brotli.NewReader(r)} }

// Reset has the Reader begin anew, with what src has. What a stream has left behind its end stays in
// a brotli.Reader that is reset, so that it is a new one.
func (r *Reader) Reset(src io.Reader) { r.r = brotli.NewReader(src) }

// Read implements io.Reader. A stream that lacks no content and only its end ends without an error.
func (r *Reader) Read(p []byte) (int, error) { return r.r.Read(p) }

// Writer packs a stream.
type Writer = brotli.Writer

// NewWriter returns a Writer to w. The level is from BestSpeed to BestCompression; the error is nil.
func NewWriter(w io.Writer, level int) (*Writer, error) { return brotli.NewWriterLevel(w, level), nil }

package importer

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"millrace/ingest/importer/lines"
	"millrace/internal/site"
)

// File is a file whose content has been read once.
type File struct {
	// Name is for messages.
	Name string
	// Bytes is the length of the content.
	Bytes int64

	f        *os.File
	format   string
	sum      [sha256.Size]byte
	temp     bool
	repeats  *repeats
	excludes *site.Site // nil: nothing
}

// Open opens a path as a file of a format, or reads stdin where the path is "-": a stream is kept in a temporary
// file, because it is read twice. It reads the whole content, so it can take a while; ctx ends that.
func Open(ctx context.Context, path, format string, stdin io.Reader) (*File, error) {
	f := &File{Name: path, format: format}
	var err error
	if path == "-" {
		f.Name, f.temp = "standard input", true
		err = f.spool(ctx, stdin)
	} else {
		f.f, err = os.Open(path)
	}
	if err == nil {
		err = f.measure(ctx)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// spool copies a stream into a temporary file.
func (f *File) spool(ctx context.Context, in io.Reader) error {
	tmp, err := os.CreateTemp("", "millrace-import-*")
	if err != nil {
		return fmt.Errorf("keep %s: %w", f.Name, err)
	}
	f.f = tmp
	if _, err := io.Copy(tmp, withContext{ctx, in}); err != nil {
		return fmt.Errorf("keep %s: %w", f.Name, err)
	}
	return nil
}

// measure reads the content for its digest, its length, and the lines that it has more than once.
func (f *File) measure(ctx context.Context) (err error) {
	in, err := f.content()
	if err != nil {
		return err
	}
	h, count := sha256.New(), &counter{in: withContext{ctx, in}}
	text := lines.NewReader(io.TeeReader(count, h), longestLine(f.format))
	f.repeats = newRepeats()
	defer func() { err = errors.Join(err, f.repeats.close()) }()
	for text.Next() {
		if text.Fault() != "" || text.Empty() {
			continue
		}
		if err := f.repeats.add(canonical(f.format, text.Bytes())); err != nil {
			return f.wrap(err)
		}
	}
	if err := text.Err(); err != nil {
		return f.wrap(err)
	}
	f.Bytes = count.n
	h.Sum(f.sum[:0])
	if err := f.repeats.find(); err != nil {
		return f.wrap(err)
	}
	return nil
}

// content returns the content from its start, unpacked if it is packed.
func (f *File) content() (io.Reader, error) {
	if _, err := f.f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s: %w; pipe it in and name it \"-\"", f.Name, err)
	}
	in := bufio.NewReaderSize(f.f, 256<<10)
	magic, _ := in.Peek(6) // an error of reading comes again
	if strings.HasPrefix(string(magic), "\x1f\x8b") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, f.wrap(err)
		}
		in = bufio.NewReaderSize(z, 256<<10)
		magic, _ = in.Peek(6)
	}
	if err := f.textError(string(magic)); err != nil {
		return nil, err
	}
	return in, nil
}

// textError returns an error for content that begins like something else than text in UTF-8.
func (f *File) textError(magic string) error {
	for _, packed := range []struct{ magic, form, tool string }{
		{"BZh", "bzip2", "bzip2 -dc"}, {"\xfd7zXZ\x00", "xz", "xz -dc"}, {"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"},
		{"PK\x03\x04", "zip", "unzip -p"}, {"\x1f\x8b", "gzip twice", "gzip -dc"},
	} {
		if strings.HasPrefix(magic, packed.magic) {
			return fmt.Errorf("%s is packed with %s: unpack it, \"%s FILE | millrace import … -\"", f.Name, packed.form, packed.tool)
		}
	}
	if strings.HasPrefix(magic, "\xff\xfe") || strings.HasPrefix(magic, "\xfe\xff") {
		return fmt.Errorf("%s is in UTF-16: convert it, \"iconv -f UTF-16 -t UTF-8 FILE | millrace import … -\"", f.Name)
	}
	return nil
}

func (f *File) wrap(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s is cut off: its gzip data ends too early", f.Name)
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err // "read" and the name are in what is put before it
	}
	return fmt.Errorf("read %s: %w", f.Name, err)
}

// Digest identifies the content together with what it is read as, the rules of this build and what
// is left out included.
func (f *File) Digest(site string) []byte { return f.digest("lines by rank\n"+f.rules(), site) }

// PlacedDigest identifies the content as builds before did, which gave the events other ids and counted other lines.
func (f *File) PlacedDigest(site string) []byte { return f.digest("", site) }

func (f *File) digest(rules, site string) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s%s\n%s\n", rules, f.format, site)
	h.Write(f.sum[:])
	return h.Sum(nil)
}

// Close closes the file, and removes it if it was temporary.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	if f.temp {
		err = errors.Join(err, os.Remove(f.f.Name()))
	}
	f.f = nil
	return err
}

// withContext is a reader that ends with its context.
type withContext struct {
	ctx context.Context
	in  io.Reader
}

func (r withContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

// counter counts what is read through it.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

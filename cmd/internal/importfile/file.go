package importfile

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
)

// File is a file whose content has been read once.
type File struct {
	// Name is for messages.
	Name string
	// Bytes is the length of the content.
	Bytes int64

	f    *os.File
	sum  [sha256.Size]byte
	temp bool
}

// Open opens a path, or reads stdin where it is "-": a stream is kept in a temporary file, because it is read
// twice. It reads the whole content, so it can take a while; ctx ends that.
func Open(ctx context.Context, path string, stdin io.Reader) (*File, error) {
	f := &File{Name: path}
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

// measure reads the content for its digest and length.
func (f *File) measure(ctx context.Context) error {
	in, err := f.content()
	if err != nil {
		return err
	}
	h := sha256.New()
	if f.Bytes, err = io.Copy(h, withContext{ctx, in}); err != nil {
		return f.wrap(err)
	}
	h.Sum(f.sum[:0])
	return nil
}

// content returns the content from its start, unpacked if it is packed.
func (f *File) content() (io.Reader, error) {
	if _, err := f.f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s: %w; pipe it in and name it \"-\"", f.Name, err)
	}
	in := bufio.NewReaderSize(f.f, 256<<10)
	if magic, err := in.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return in, nil // too short, or not gzip; an error of reading comes again
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, f.wrap(err)
	}
	return z, nil
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

// Digest identifies the content together with what it is read as.
func (f *File) Digest(format, site string) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", format, site)
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

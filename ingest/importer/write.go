package importer

import (
	"context"
	"errors"
	"io"

	"millrace/engine/event"
)

// Archive takes the events of one file.
type Archive interface {
	// Add takes the event of a line. Lines count from 0 here.
	Add(ctx context.Context, e *event.Event, line int64) error
	// Close writes what is left. It is not called behind an error.
	Close(ctx context.Context) error
}

// reportEvery is between how many lines the progress is reported, and the context looked at.
const reportEvery = 1024

// Write writes the events that are left to an archive, and calls note with each. Progress is called
// now and then with the bytes read, the bytes of the file, and the lines read.
func (r *Reader) Write(ctx context.Context, to Archive, note func(*event.Event), progress func(read, size, lines int64)) error {
	for r.Scan() {
		e := r.Event()
		if err := to.Add(ctx, e, r.Line()-1); err != nil {
			return err
		}
		note(e)
		if r.Line()%reportEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			progress(r.Read(), r.file.Bytes, r.Line())
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	return to.Close(ctx)
}

// OpenAll opens all files, so that a wrong name is found before anything is done. The error names
// each that can't be read. The caller closes the files that are returned, also beside an error.
func OpenAll(ctx context.Context, paths []string, format string, stdin io.Reader) (files []*File, err error) {
	var errs []error
	for _, path := range paths {
		f, err := Open(ctx, path, format, stdin)
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		files = append(files, f)
	}
	return files, errors.Join(errs...)
}

// CloseAll closes files.
func CloseAll(files []*File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

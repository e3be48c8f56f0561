package lake

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"millrace/internal/blob"
)

// A note is a text that programs leave with an archive for each other, under a name. Like the rules
// it is a Parquet file without a row beside the progress, which every reader of the folder takes for
// an empty part of the table.

// noteKey is the key of its metadata.
const noteKey = "millrace.note"

// noteForm is what names of notes look like: nothing that could be a progress object's.
var noteForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)*(\.[a-z0-9]+)?$`)

// ErrNote is wrapped by the error for a note that is damaged.
var ErrNote = errors.New("the note is damaged")

func noteObject(name string) (string, error) {
	if !noteForm.MatchString(name) {
		return "", fmt.Errorf("note %q: not a name such as busy.1a2b", name)
	}
	return progressPrefix + "note." + name + ".parquet", nil
}

// PutNote leaves a text under a name, in place of the one that is there.
func PutNote(ctx context.Context, store blob.Store, name, text string) error {
	key, err := noteObject(name)
	if err != nil {
		return err
	}
	body, err := emptyObject(noteKey, text)
	if err != nil {
		return err
	}
	return store.Put(ctx, key, body)
}

// DeleteNote removes a note. It is nil if there is none.
func DeleteNote(ctx context.Context, store blob.Store, name string) error {
	key, err := noteObject(name)
	if err != nil {
		return err
	}
	return store.Delete(ctx, key)
}

// Note returns the text under a name; false if there is none. A damaged note is an error.
func (l *Reader) Note(ctx context.Context, name string) (text string, found bool, err error) {
	key, err := noteObject(name)
	if err != nil {
		return "", false, err
	}
	body, err := l.store.Get(ctx, key)
	if errors.Is(err, blob.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if text, err = objectText(body, noteKey); err != nil {
		return "", false, fmt.Errorf("%q in %s: %w: %w", key, l.store, ErrNote, err)
	}
	return text, true, nil
}

// Notes returns the names of the notes that start with a prefix, in order.
func (l *Reader) Notes(ctx context.Context, prefix string) ([]string, error) {
	const before = progressPrefix + "note."
	var names []string
	for info, err := range l.store.List(ctx, before+prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list notes: %w", err)
		}
		if name, ok := strings.CutSuffix(strings.TrimPrefix(info.Key, before), ".parquet"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

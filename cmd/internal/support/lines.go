package support

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
)

// mostLines and mostLineBytes bound what is kept of the log.
const (
	mostLines     = 1000
	mostLineBytes = 2000
)

// Lines are the last lines of a log. It may be used by any number of goroutines.
type Lines struct {
	mu   sync.Mutex // guards what follows
	last []string   // a ring, once it is full
	next int
}

// Write takes a line.
func (l *Lines) Write(line []byte) (int, error) {
	n := len(line)
	text := strings.ToValidUTF8(string(line[:min(n, mostLineBytes)]), "")
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) < mostLines {
		l.last = append(l.last, text)
		return n, nil
	}
	l.last[l.next] = text
	l.next = (l.next + 1) % mostLines
	return n, nil
}

// Text returns the lines, the oldest first.
func (l *Lines) Text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last[l.next:], "") + strings.Join(l.last[:l.next], "")
}

// Keep returns a handler that hands on to h, and keeps what h takes.
func (l *Lines) Keep(h slog.Handler) slog.Handler {
	return tee{h, slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})}
}

type tee struct{ out, kept slog.Handler }

func (t tee) Enabled(ctx context.Context, level slog.Level) bool { return t.out.Enabled(ctx, level) }

func (t tee) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(t.out.Handle(ctx, r.Clone()), t.kept.Handle(ctx, r))
}

func (t tee) WithAttrs(as []slog.Attr) slog.Handler {
	return tee{t.out.WithAttrs(as), t.kept.WithAttrs(as)}
}

func (t tee) WithGroup(name string) slog.Handler {
	return tee{t.out.WithGroup(name), t.kept.WithGroup(name)}
}

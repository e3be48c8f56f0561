package main

import (
	"io"
	"log/slog"
)

// logFlags say what is logged. The log goes to the standard error stream.
type logFlags struct {
	Level  slog.Level `default:"info" help:"Least level that is logged: debug, info, warn or error."`
	Format string     `default:"text" enum:"text,json" help:"Form of a line: text or json."`
}

func (f *logFlags) open(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: f.Level}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

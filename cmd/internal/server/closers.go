package server

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// closers undo steps of a start.
type closers struct {
	log  *slog.Logger
	list []closer // in the order of starting
}

type closer struct {
	what string
	fn   func() error
}

func (c *closers) add(what string, fn func() error) { c.list = append(c.list, closer{what, fn}) }

// close calls all, the last one first. An error keeps none from being called; all are in what it
// returns.
func (c *closers) close() error {
	var errs []error
	for i := len(c.list) - 1; i >= 0; i-- {
		began := time.Now()
		if err := c.list[i].fn(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.list[i].what, err))
		}
		c.log.Debug("stopped", "what", c.list[i].what, "took", time.Since(began).Round(time.Millisecond))
	}
	c.list = nil
	return errors.Join(errs...)
}

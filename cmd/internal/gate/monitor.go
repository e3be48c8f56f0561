package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// MonitorOptions of a Monitor. All are required.
type MonitorOptions struct {
	// Name is what is looked at, for the log.
	Name string
	// Probe looks at it once, and returns what is wrong. It returns when its context ends.
	Probe func(context.Context) error
	// Every is the time between two probes.
	Every time.Duration
	// Tolerance is how long probes may fail before that counts; it bounds one probe, too. 0: the
	// first failure counts.
	Tolerance time.Duration
	Log       *slog.Logger
}

// Monitor looks at something again and again that is used at any time and not held, such as a
// database that is queried. It is not well before its first probe has succeeded.
type Monitor struct {
	opts MonitorOptions

	mu   sync.Mutex // guards what follows
	why  error      // why it is not well, nil if it is
	well time.Time  // when a probe last succeeded
}

// NewMonitor returns a Monitor; Run makes it look.
func NewMonitor(o MonitorOptions) *Monitor {
	return &Monitor{opts: o, why: errors.New("it has not answered yet")}
}

// Why returns why it is not well, nil if it is.
func (m *Monitor) Why() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.why
}

// Run probes until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	t := time.NewTicker(m.opts.Every)
	defer t.Stop()
	for {
		m.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (m *Monitor) look(ctx context.Context) {
	once, cancel := context.WithTimeout(ctx, max(m.opts.Tolerance, m.opts.Every))
	err := m.opts.Probe(once)
	cancel()
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if err == nil {
		if m.why != nil && !m.well.IsZero() {
			m.opts.Log.Info("it is well again", "what", m.opts.Name, "after", now.Sub(m.well).Round(time.Second))
		}
		m.why, m.well = nil, now
		return
	}
	if m.well.IsZero() {
		m.why = err
		return
	}
	if away := now.Sub(m.well); away >= m.opts.Tolerance {
		if m.why == nil {
			m.opts.Log.Error("it has not worked for a while, and the process is not ready", "what", m.opts.Name,
				"for", away.Round(time.Second), "err", oneLine(err))
		}
		m.why = fmt.Errorf("not for %v: %w", away.Round(time.Second), err)
	}
}

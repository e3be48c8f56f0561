package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Names of the servers.
const (
	Influx     = "influx"
	VersityGW  = "versitygw"
	MinIO      = "minio"
	S3Default  = VersityGW
	bucketName = "millrace"
)

// Manager starts and stops servers below a folder.
type Manager struct {
	// Dir is the folder.
	Dir string
	// Bin is where built programs lie; "" is bin in Dir. Two Managers may share it.
	Bin string
	// Log takes a line for what takes long.
	Log io.Writer
}

// DefaultDir is where a Manager keeps its things unless told otherwise: millrace-services in the user's folder for
// caches.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for servers: %w", err)
	}
	return filepath.Join(cache, "millrace-services"), nil
}

// server is one that can be started.
type server struct {
	name    string
	pkg     string // of its main package
	version string
	binary  string
	// args returns the arguments and environment of a process that listens on a port and keeps its data in a folder.
	args func(dir string, port int) (args, env []string, err error)
	// ready makes what is needed, and returns the address for whoever uses it, or an error while it is too early.
	ready func(ctx context.Context, port int) (url string, err error)
	// variable carries the address to the tests.
	variable string
}

func servers() []server { return []server{influxServer(), versityServer(), minioServer()} }

// Names returns the names that Up takes.
func Names() []string {
	var out []string
	for _, s := range servers() {
		out = append(out, s.name)
	}
	return out
}

// Up starts the named servers, those that do not run already, and returns what runs then.
func (m *Manager) Up(ctx context.Context, names ...string) ([]Running, error) {
	unlock, err := m.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, name := range names {
		i := slices.IndexFunc(servers(), func(s server) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown server %q: there are %q", name, Names())
		}
		if err := m.up(ctx, servers()[i]); err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
	}
	return m.Running()
}

func (m *Manager) up(ctx context.Context, s server) error {
	if r, err := m.load(s.name); err == nil {
		if r.alive() {
			if _, err := s.ready(ctx, r.Port); err == nil {
				return nil
			}
		}
		if err := m.end(ctx, r); err != nil {
			return err
		}
	}
	bin, err := m.build(ctx, s)
	if err != nil {
		return err
	}
	// A port that was free a moment ago may be taken now: then the server ends at once, and another is tried.
	var last error
	for range 5 {
		r, err := m.fresh(s, bin)
		if err != nil {
			return err
		}
		r, err = m.start(ctx, s, r)
		if err == nil {
			return m.store(r)
		}
		if last = err; !errors.Is(err, errEnded) {
			break
		}
	}
	return last
}

// Down ends all servers and removes their data.
func (m *Manager) Down(ctx context.Context) error {
	unlock, err := m.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	running, err := m.Running()
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range running {
		errs = append(errs, m.end(ctx, r))
	}
	return errors.Join(errs...)
}

// Crash ends a server as kill -9 does, and keeps its data and port.
func (m *Manager) Crash(name string) error {
	r, err := m.load(name)
	if err != nil {
		return fmt.Errorf("crash %s: %w", name, err)
	}
	if !r.alive() {
		return fmt.Errorf("crash %s: it does not run", name)
	}
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return fmt.Errorf("crash %s: %w", name, err)
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("crash %s: %w", name, err)
	}
	for deadline := time.Now().Add(stopTimeout); r.alive(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("crash %s: process %d does not end", name, r.PID)
		}
	}
	return nil
}

// Resume starts a crashed server on its data and its port, and returns when it answers.
func (m *Manager) Resume(ctx context.Context, name string) error {
	r, err := m.load(name)
	if err != nil {
		return fmt.Errorf("resume %s: %w", name, err)
	}
	i := slices.IndexFunc(servers(), func(s server) bool { return s.name == name })
	if i < 0 || r.alive() {
		return fmt.Errorf("resume %s: it runs", name)
	}
	if r, err = m.start(ctx, servers()[i], r); err != nil {
		return fmt.Errorf("resume %s: %w", name, err)
	}
	return m.store(r)
}

// Running returns the servers that were started and not stopped, sorted by name, whether they still live or not.
func (m *Manager) Running() ([]Running, error) {
	files, err := filepath.Glob(filepath.Join(m.runDir(), "*.json"))
	if err != nil {
		return nil, err
	}
	var out []Running
	for _, f := range files {
		r, err := load(f)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (m *Manager) runDir() string { return filepath.Join(m.Dir, "run") }

func (m *Manager) logf(format string, args ...any) {
	if m.Log != nil {
		fmt.Fprintf(m.Log, format+"\n", args...)
	}
}

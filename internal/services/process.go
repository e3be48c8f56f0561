package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"millrace/internal/atomicfile"
)

const (
	buildTimeout = 15 * time.Minute
	readyTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// Running is a server that was started.
type Running struct {
	Name     string
	PID      int
	Port     int
	Binary   string
	Dir      string // its data and log
	Variable string // the environment variable for tests
	URL      string // its value
}

// Env returns the assignment for a shell. URLs made here hold nothing that a shell would read.
func (r Running) Env() string { return "export " + r.Variable + "=" + r.URL }

var errEnded = errors.New("the server ended right after its start")

// build returns the path of a server's program, built once for each version.
func (m *Manager) build(ctx context.Context, s server) (string, error) {
	all := m.Bin
	if all == "" {
		all = filepath.Join(m.Dir, "bin")
	}
	dir := filepath.Join(all, s.binary+"-"+s.version)
	bin := filepath.Join(dir, s.binary+exeSuffix)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("build it: the go command is needed: %w", err)
	}
	m.logf("building %s %s, once, for a minute or two …", s.binary, s.version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("build it: %w", err)
	}
	// Into a folder beside, so that half a program is never taken for one.
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", fmt.Errorf("build it: %w", err)
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, goTool, "install", s.pkg+"@"+s.version)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "GOBIN="+tmp, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s@%s: %w\n%s", s.pkg, s.version, err, tail(string(out), 20))
	}
	if err := os.Rename(filepath.Join(tmp, s.binary+exeSuffix), bin); err != nil {
		return "", fmt.Errorf("build it: %w", err)
	}
	return bin, nil
}

// fresh chooses a free port and makes an empty folder.
func (m *Manager) fresh(s server, bin string) (Running, error) {
	// The system names a process by its program's real path; by another it would not be known again.
	bin, err := filepath.EvalSymlinks(bin)
	if err != nil {
		return Running{}, err
	}
	port, err := freePort()
	if err != nil {
		return Running{}, err
	}
	r := Running{Name: s.name, Port: port, Binary: bin, Dir: filepath.Join(m.runDir(), s.name), Variable: s.variable}
	if err := os.RemoveAll(r.Dir); err != nil {
		return r, err
	}
	return r, os.MkdirAll(r.Dir, 0o755)
}

// start starts a server and waits until it is ready.
func (m *Manager) start(ctx context.Context, s server, r Running) (Running, error) {
	args, env, err := s.args(r.Dir, r.Port)
	if err != nil {
		return r, err
	}
	log, err := os.OpenFile(filepath.Join(r.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return r, err
	}
	defer log.Close()
	cmd := exec.Command(r.Binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.Dir, log, log
	cmd.Env = append(os.Environ(), env...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return r, err
	}
	r.PID = cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	if r.URL, err = m.await(ctx, s, r, ended); err != nil {
		_ = cmd.Process.Kill()
		<-ended
		text, _ := os.ReadFile(log.Name())
		return r, fmt.Errorf("%w; the last lines of its log:\n%s", err, tail(string(text), 15))
	}
	return r, nil
}

// await waits until the server answers, and still runs: another one could have the port.
func (m *Manager) await(ctx context.Context, s server, r Running, ended <-chan struct{}) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		url, err := s.ready(ctx, r.Port)
		select {
		case <-ended:
			return "", errEnded
		default:
		}
		if err == nil {
			return url, nil
		}
		select {
		case <-ended:
			return "", errEnded
		case <-ctx.Done():
			return "", fmt.Errorf("wait until it answers: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// end stops a server and removes its data and its file.
func (m *Manager) end(ctx context.Context, r Running) error {
	if r.alive() {
		p, err := os.FindProcess(r.PID)
		if err != nil {
			return fmt.Errorf("stop %s: %w", r.Name, err)
		}
		terminate(p)
		deadline := time.Now().Add(stopTimeout)
		for killed := false; r.alive(); {
			if !killed && (time.Now().After(deadline) || ctx.Err() != nil) {
				_ = p.Kill()
				killed = true
			}
			if killed && time.Now().After(deadline.Add(stopTimeout)) {
				return fmt.Errorf("stop %s: process %d does not end", r.Name, r.PID)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if err := os.RemoveAll(r.Dir); err != nil {
		return fmt.Errorf("stop %s: %w", r.Name, err)
	}
	return os.Remove(m.file(r.Name))
}

func (m *Manager) file(name string) string { return filepath.Join(m.runDir(), name+".json") }

func (m *Manager) store(r Running) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return atomicfile.Write(m.file(r.Name), append(b, '\n'), 0o600)
}

func (m *Manager) load(name string) (Running, error) { return load(m.file(name)) }

func load(file string) (Running, error) {
	var r Running
	b, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", file, err)
	}
	return r, nil
}

// Lock keeps two calls from starting the same server twice. It is a file that is made exclusively, and taken over when
// it is older than any call can last.
func (m *Manager) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(m.runDir(), 0o755); err != nil {
		return nil, fmt.Errorf("make folder for servers: %w", err)
	}
	name := filepath.Join(m.runDir(), "lock")
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintln(f, os.Getpid())
			f.Close()
			return func() { os.Remove(name) }, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if st, err := os.Stat(name); err == nil && time.Since(st.ModTime()) > 2*buildTimeout {
			os.Remove(name)
			continue
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is locked by another call (remove the file if there is none): %w", name, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

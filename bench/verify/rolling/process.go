package rolling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"millrace/bench/verify/report"
)

// process is a serve of one role.
type process struct {
	role, program, dir string
	addr, admin        string // addr is "" of a role that serves nothing
	cmd                *exec.Cmd
	log                string // its file
	ended              chan struct{}
	err                error // once ended is closed
}

// launch starts a program with a role on a folder.
func launch(program, role, dir, log string, args []string) (*process, error) {
	p := &process{role: role, program: program, dir: dir, log: log, ended: make(chan struct{})}
	var err error
	if p.admin, err = freeAddr(); err != nil {
		return nil, err
	}
	all := append([]string{"serve", "--roles", role, "--data", dir, "--admin", p.admin}, args...)
	if p.addr, err = freeAddr(); err != nil {
		return nil, err
	}
	all = append(all, "--listen", p.addr)
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(program, all...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// freeAddr returns an address of this machine on which nothing listens.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// probes asks for readiness. Its connections end, as those of Kubernetes do.
var probes = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ready reports whether the role is, and the answer.
func (p *process) ready() (bool, string) {
	res, err := probes.Get("http://" + p.admin + "/readyz?verbose&role=" + p.role)
	if err != nil {
		return false, err.Error()
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode == http.StatusOK, string(text)
}

// mostStart is how long a process may take until it is ready.
const mostStart = 90 * time.Second

// await waits until the role is ready.
func (p *process) await(ctx context.Context) error {
	for began := time.Now(); ; {
		ok, text := p.ready()
		if ok {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s of %s ended before it was ready: %w\n%s", p.role, p.program, errors.Join(p.err, errEnded), p.words())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Since(began) > mostStart {
			return fmt.Errorf("%s of %s is not ready after %v: %s\n%s", p.role, p.program, mostStart, text, p.words())
		}
	}
}

var errEnded = errors.New("it was not told to")

// stop sends SIGTERM and waits as long as the chart gives a Pod behind its drain. It reports a
// process that had to be killed, or whose exit code is not 0.
func (p *process) stop(most time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(most):
		p.kill()
		return fmt.Errorf("%s of %s did not end within %v of SIGTERM\n%s", p.role, p.program, most, p.words())
	}
	if p.err != nil {
		return fmt.Errorf("%s of %s: %w\n%s", p.role, p.program, p.err, p.words())
	}
	return nil
}

// kill ends it at once.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// words is the end of what it has printed.
func (p *process) words() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// fleet is the processes of a cluster.
type fleet struct {
	dir    string
	args   map[string][]string // of each role
	drain  time.Duration
	report *report.Report

	mu    sync.Mutex // guards what follows
	all   []*process
	count int
}

// start starts a role, on a folder or, if that is "", on a new one, and waits until it is ready.
func (f *fleet) start(ctx context.Context, program, role, dir string) (*process, error) {
	f.mu.Lock()
	f.count++
	name := fmt.Sprintf("%02d-%s", f.count, role)
	f.mu.Unlock()
	if dir == "" {
		dir = filepath.Join(f.dir, name)
	}
	p, err := launch(program, role, dir, filepath.Join(f.dir, name+".log"), f.args[role])
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.all = append(f.all, p)
	f.mu.Unlock()
	return p, p.await(ctx)
}

// end sends SIGTERM to one, and takes it out.
func (f *fleet) end(p *process) {
	err := p.stop(f.drain + 25*time.Second)
	if err != nil {
		f.report.Fail("%v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, o := range f.all {
		if o == p {
			f.all = append(f.all[:i], f.all[i+1:]...)
			break
		}
	}
}

// of returns the processes of a role.
func (f *fleet) of(role string) (list []*process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.all {
		if p.role == role {
			list = append(list, p)
		}
	}
	return list
}

// close kills what is left.
func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.all {
		p.kill()
	}
	f.all = nil
}

// other returns the process of a role that runs another program than this one.
func (f *fleet) other(role, program string) (*process, error) {
	for _, p := range f.of(role) {
		if p.program != program {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no %s is left that runs another program than %s", role, program)
}

// replace has a role's next process run another program, as the chart does: a Deployment's new Pod
// is ready before the old one is told to stop; the StatefulSet's old one gives its folder away.
func (f *fleet) replace(ctx context.Context, role, program string) error {
	old, err := f.other(role, program)
	if err != nil {
		return err
	}
	if role == roleProcess {
		f.end(old)
		_, err = f.start(ctx, program, role, old.dir)
		return err
	}
	if _, err := f.start(ctx, program, role, ""); err != nil {
		return err
	}
	f.end(old)
	return nil
}

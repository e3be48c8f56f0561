package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"millrace/query/statsapi"
)

// patience is how long the program may take to begin, to be ready, and to end.
const patience = 30 * time.Second

// Program is a millrace serve in a process of its own.
type Program struct {
	URL   string // of beacons and queries
	Admin string // of metrics and health
	cmd   *exec.Cmd
	done  chan struct{} // closed once it has ended
	err   error         // how, valid after done

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

// Build compiles the program into a folder and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	exe := filepath.Join(dir, "millrace")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", exe, "millrace/cmd/millrace").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build millrace: %w\n%s", err, out)
	}
	return exe, nil
}

// Start starts millrace serve on its defaults, with its data in a folder and a file of sites, and
// waits until it is ready.
func Start(ctx context.Context, exe, dir, sites string) (*Program, error) {
	p := &Program{done: make(chan struct{})}
	p.cmd = exec.Command(exe, "serve", "--data", dir, "--sites-file", sites, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	p.cmd.Env, p.cmd.Stderr = plainEnv(), (*programLog)(p)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start millrace serve: %w", err)
	}
	greeted := make(chan struct{})
	go p.read(out, greeted)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-greeted:
	case <-p.done:
		return nil, fmt.Errorf("millrace serve ended at its start: %v\n%s", p.err, p.Log())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("millrace serve did not print where it listens\n%s", p.Log()), p.Stop())
	}
	for {
		res, err := http.Get(p.Admin + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("millrace serve is not ready\n%s", p.Log()), p.Stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// read takes the addresses from the greeting.
func (p *Program) read(out io.Reader, greeted chan struct{}) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, addr, ok := strings.Cut(lines.Text(), "beacons, questions   "); ok {
			p.URL = addr
		}
		if _, addr, ok := strings.Cut(lines.Text(), "metrics, health      "); ok {
			p.Admin = addr
		}
		if p.URL != "" && p.Admin != "" && greeted != nil {
			close(greeted)
			greeted = nil
		}
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// Stop ends the program by SIGTERM and waits for it.
func (p *Program) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("millrace serve did not end within %v of SIGTERM\n%s", patience, p.Log())
	}
}

// programLog collects what the program writes to its log.
type programLog Program

// Write takes a part of the log.
func (l *programLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(b)
}

// Log returns what the program has logged.
func (p *Program) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Row is a row of an answer.
type Row struct {
	Metrics    []any    `json:"metrics"`
	Dimensions []string `json:"dimensions"`
}

// Query asks the query API about a site, an hour before and after now.
func (p *Program) Query(site string, metrics []string, dimensions ...string) ([]Row, error) {
	now := time.Now().UTC()
	body, err := json.Marshal(map[string]any{
		"site_id": site, "metrics": metrics, "dimensions": append([]string{}, dimensions...),
		"date_range": []string{now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)},
	})
	if err != nil {
		return nil, err
	}
	res, err := http.Post(p.URL+"/api/v2/query", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Results []Row  `json:"results"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("query %s: %w", body, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("query %s: status %d, %s", body, res.StatusCode, answer.Error)
	}
	for _, row := range answer.Results {
		for i := range row.Metrics {
			row.Metrics[i] = statsapi.Number(row.Metrics[i])
		}
	}
	return answer.Results, nil
}

// Sum returns the sum of the samples of a metric whose labels contain a text.
func (p *Program) Sum(metric, labels string) (float64, error) {
	res, err := http.Get(p.Admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		if !strings.HasPrefix(name, metric+"{") || !strings.Contains(name, labels) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", lines.Text(), err)
		}
		sum += v
	}
	return sum, lines.Err()
}

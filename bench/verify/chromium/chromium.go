package chromium

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"sync"
)

// Variable names, in the environment of tests, a copy of node/ in which npm ci has been run.
const Variable = "MILLRACE_TEST_BROWSER"

// Browser is a headless Chromium.
type Browser struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	log bytes.Buffer // of the process, valid after ended

	ended chan struct{} // closed once the process has ended

	mu      sync.Mutex // guards what follows, and writes to in
	last    int        // the id of the last run
	waiting map[int]chan answer
}

// answer is a line of drive.cjs.
type answer struct {
	ID    int             `json:"id"`
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
}

// Start starts one, to which all names of hosts under example lead to an address, HOST:PORT.
func Start(folder, address string) (*Browser, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("%w: apt-get install chromium", err)
	}
	started := make(chan answer, 1)
	b := &Browser{
		cmd:     exec.Command("node", filepath.Join(folder, "drive.cjs"), program, address),
		ended:   make(chan struct{}),
		waiting: map[int]chan answer{0: started},
	}
	b.cmd.Stderr = &b.log
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the browser: %w", err)
	}
	go b.read(out)
	if _, err := b.wait(context.Background(), started); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// read hands answers to those that wait for them.
func (b *Browser) read(out io.Reader) {
	defer close(b.ended)
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			a.Error = fmt.Sprintf("%s: %v", line, err)
		}
		b.mu.Lock()
		if c := b.waiting[a.ID]; c != nil {
			c <- a // which has room for it
		}
		delete(b.waiting, a.ID)
		b.mu.Unlock()
	}
}

// Run runs code (see node/drive.cjs) and returns what that returns.
func (b *Browser) Run(ctx context.Context, code string, arg any) (json.RawMessage, error) {
	b.mu.Lock()
	b.last++
	line, err := json.Marshal(map[string]any{"id": b.last, "code": code, "arg": arg})
	c := make(chan answer, 1)
	if err == nil {
		b.waiting[b.last] = c
		_, err = b.in.Write(append(line, '\n'))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("run in the browser: %w", err)
	}
	return b.wait(ctx, c)
}

func (b *Browser) wait(ctx context.Context, c chan answer) (json.RawMessage, error) {
	var a answer
	select {
	case a = <-c:
	case <-b.ended:
		a.Error = "the browser has ended"
	case <-ctx.Done():
		return nil, fmt.Errorf("run in the browser: %w", context.Cause(ctx))
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a.Value, nil
}

// Close ends the browser when all runs have ended, and waits for it.
func (b *Browser) Close() error {
	b.in.Close()
	<-b.ended
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("the browser ends with %w\n%s", err, b.log.String())
	}
	return nil
}

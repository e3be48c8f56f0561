package pace

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

//go:embed peer.py
var peerScript string

// peer is DuckDB in a process of Python.
type peer struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	version string
}

// reply is what peer.py prints.
type reply struct {
	Error   string  `json:"error"`
	Version string  `json:"version"`
	MS      float64 `json:"ms"`
	CPU     float64 `json:"cpu"`
	Rows    [][]any `json:"rows"`
}

func startPeer(ctx context.Context, python string, threads int) (*peer, error) {
	p := &peer{cmd: exec.CommandContext(ctx, python, "-c", peerScript, strconv.Itoa(threads))}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<20)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	r, err := p.read()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.version = r.Version
	return p, nil
}

func (p *peer) read() (*reply, error) {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the Python with DuckDB: %w", err)
	}
	r := &reply{}
	if err := json.Unmarshal(line, r); err != nil {
		return nil, err
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return r, nil
}

// ask returns the answer to SQL.
func (p *peer) ask(sql string) (*reply, error) {
	line, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		return nil, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	r, err := p.read()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, sql)
	}
	return r, nil
}

func (p *peer) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

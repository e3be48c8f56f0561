package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/cmd/internal/roles"
	"millrace/internal/testlog"
	"millrace/query/statsapi"
)

// serving is a millrace serve of its own process.
type serving struct {
	cmd    *exec.Cmd
	url    string // of beacons and questions
	admin  string
	ended  chan struct{} // closed once the process has ended
	err    error         // of the process, valid after ended
	stdout testlog.Buffer
	stderr testlog.Buffer
}

// mustServe starts a server and waits until it is ready.
func mustServe(tb testing.TB, at place, args ...string) *serving {
	tb.Helper()
	s, err := startServer(tb, append(at.args("serve"), args...))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func startServer(tb testing.TB, args []string) (*serving, error) {
	s, err := launchServer(tb, args)
	if err != nil {
		return nil, err
	}
	return s, s.waitReady(20 * time.Second)
}

// launchServer starts a server and waits until it listens, ready or not.
func launchServer(tb testing.TB, args []string) (*serving, error) {
	return launchAfter(tb, "", args)
}

// launchAfter does so in a process in which a shell has run something before, such as ulimit.
func launchAfter(tb testing.TB, shell string, args []string) (*serving, error) {
	args = append(args, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	s := &serving{cmd: exec.Command(mustExecutable(tb), args...), ended: make(chan struct{})}
	if shell != "" {
		s.cmd = exec.Command("sh", append([]string{"-c", shell + ` && exec "$0" "$@"`, mustExecutable(tb)}, args...)...)
	}
	s.cmd.Env = append(os.Environ(), asProgram+"=1", "MILLRACE_PARTITIONS=4") // 64 on a Kafka would only cost time
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	greeted := make(chan struct{})
	go func() {
		s.read(out, lastGreeting(args), greeted)
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	tb.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
	})
	select {
	case <-greeted:
	case <-s.ended:
		return nil, fmt.Errorf("serve ended at its start: %v\n%s", s.err, s.stderr.String())
	case <-time.After(20 * time.Second):
		return nil, fmt.Errorf("serve did not say where it listens\n%s", s.stderr.String())
	}
	return s, nil
}

// lastGreeting returns what is in the last line that read waits for: the last command, if there are any.
func lastGreeting(args []string) string {
	if i := slices.Index(args, "--roles"); i >= 0 && !strings.Contains(args[i+1], roles.Query) {
		return "metrics, health"
	}
	return "/api/v2/query"
}

// publicAddress is the line of a greeting that has it.
var publicAddress = regexp.MustCompile(`^  (?:beacons|questions|beacons, questions) +(http\S+)$`)

// read takes the addresses from the greeting. Greeted is closed at its last line.
func (s *serving) read(out io.Reader, last string, greeted chan struct{}) {
	open := true
	in := bufio.NewScanner(out)
	for in.Scan() {
		line := in.Text()
		s.stdout.Write([]byte(line + "\n"))
		if found := publicAddress.FindStringSubmatch(line); found != nil {
			s.url = found[1]
		}
		if _, addr, ok := strings.Cut(line, "metrics, health      "); ok {
			s.admin = addr
		}
		if open && strings.Contains(line, last) {
			open = false
			close(greeted)
		}
	}
}

func (s *serving) waitReady(atMost time.Duration) error {
	var last string
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		code, body, err := get(s.admin + "/readyz")
		if err == nil && code == http.StatusOK {
			return nil
		}
		last = body
	}
	return fmt.Errorf("not ready within %v: %s\n%s", atMost, last, s.stderr.String())
}

// kill is kill -9.
func (s *serving) kill() {
	s.cmd.Process.Kill()
	<-s.ended
}

// mustStop is SIGTERM; the process has to end by itself with exit code 0.
func (s *serving) mustStop(tb testing.TB) {
	tb.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-s.ended:
	case <-time.After(15 * time.Second):
		tb.Fatalf("not stopped 15 s after SIGTERM\n%s", s.stderr.String())
	}
	if s.err != nil {
		tb.Fatalf("stopped with %v\n%s", s.err, s.stderr.String())
	}
	tb.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
}

// answer is what the query API answers.
type answer struct {
	Results []struct {
		Metrics    numbers  `json:"metrics"`
		Dimensions []string `json:"dimensions"`
	} `json:"results"`
	Meta struct {
		Source    string    `json:"source"`
		Complete  bool      `json:"complete"`
		Watermark time.Time `json:"watermark"`
		Warnings  []string  `json:"warnings"`
	} `json:"meta"`
	Error string `json:"error"`
}

// ask sends a question.
func (s *serving) ask(question map[string]any) (*answer, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	resp, err := http.Post(s.url+"/api/v2/query", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", resp.StatusCode, a.Error)
	}
	return &a, nil
}

// mustRun runs a command of the program in this process and returns what it printed. It has to exit with code.
func mustRun(tb testing.TB, code int, args ...string) string {
	tb.Helper()
	var out, errs bytes.Buffer
	if got := run(tb.Context(), args, strings.NewReader(""), &out, &errs); got != code {
		tb.Fatalf("millrace %s exits with %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return out.String()
}

func get(url string) (code int, body string, err error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func mustExecutable(tb testing.TB) string {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

func mustListen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ln.Close() })
	return ln
}

// numbers are the metrics of a row, of amounts of money the value, and 0 of nothing.
type numbers []float64

func (n *numbers) UnmarshalJSON(b []byte) error {
	var list []any
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*n = nil
	for _, v := range list {
		f, _ := statsapi.Number(v).(float64)
		*n = append(*n, f)
	}
	return nil
}

package engine

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// go test ./engine -run Scripts -rewrite accepts what the scripts print now. Read the diff.
var rewrite = flag.Bool("rewrite", false, "rewrite the expectations of testdata")

// command is one step of a script: a line with a name and args k=v, lines of input, a line ----, and up to the next
// empty line what is expected.
type command struct {
	name  string
	args  map[string]string
	input string
}

func (c *command) arg(name, otherwise string) string {
	if v, ok := c.args[name]; ok {
		return v
	}
	return otherwise
}

// runScripts runs each script of a folder with a fresh interpreter.
func runScripts(t *testing.T, dir string, fresh func() func(t *testing.T, c *command) string) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runScript(t, file, fresh()) })
	}
}

func runScript(t *testing.T, file string, run func(*testing.T, *command) string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for block := range strings.SplitSeq(strings.TrimRight(string(b), "\n"), "\n\n") {
		head, want, ok := strings.Cut(block+"\n", "----\n")
		if !ok {
			t.Fatalf("%s: no ---- in\n%s", file, block)
		}
		c := &command{args: map[string]string{}}
		for line := range strings.Lines(head) {
			switch {
			case c.name != "":
				c.input += line
			case !strings.HasPrefix(line, "#"):
				f := strings.Fields(line)
				c.name = f[0]
				for _, a := range f[1:] {
					k, v, _ := strings.Cut(a, "=")
					c.args[k] = v
				}
			}
		}
		got := run(t, c)
		out = append(out, head+"----\n"+got)
		if got != want && !*rewrite {
			t.Errorf("%s:\n%s----\ngot\n%swant\n%s", file, head, got, want)
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

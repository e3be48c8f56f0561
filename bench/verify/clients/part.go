package clients

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Part is a page script that is published inside a whole program: a file of a package of npm, or of
// a Go module, whose own dependencies nobody needs to run it.
type Part struct {
	Name, Version string
	File          string // in the package or module
	Sum           string // of all of it: npm's "integrity", or that of a go.sum
}

// Parts returns the page scripts that npm ci does not install.
func Parts() []Part {
	return []Part{
		{
			Name: "umami", Version: "2.10.0", File: "src/tracker/index.js",
			Sum: "sha512-+lmrnV0751R6U2rkIgVAlE1nWI7yZawlMlJDguW9tlFacCKhnGeCyc7tCMIhNNYIiGIQy4DEX5IzJhm4b3+dPA==",
		},
		{
			Name: "zgo.at/goatcounter/v2", Version: "v2.7.0", File: "public/count.js",
			Sum: "h1:qdqa4qYcvDFL8eU8F9xbXlmc+c0PVv4bmVXgnSuPY9Q=",
		},
	}
}

// Install puts the file where npm ci would have put the package, below a copy of browser/.
func (p Part) Install(ctx context.Context, browser string) error {
	dir, err := os.MkdirTemp("", "millrace-part-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fetch := fromNpm
	if strings.HasPrefix(p.Sum, "h1:") {
		fetch = fromModule
	}
	text, err := fetch(ctx, p, dir)
	if err != nil {
		return fmt.Errorf("fetch %s %s: %w", p.Name, p.Version, err)
	}
	file := filepath.Join(browser, "node_modules", p.Name, p.File)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o666)
}

// fromNpm returns the file of a package, which it downloads into a folder.
func fromNpm(ctx context.Context, p Part, dir string) ([]byte, error) {
	out, err := output(ctx, dir, "npm", "pack", "--json", p.Name+"@"+p.Version)
	if err != nil {
		return nil, err
	}
	var packed []struct{ Filename string }
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 {
		return nil, fmt.Errorf("npm pack printed %q: %w", out, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, packed[0].Filename))
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(text)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != p.Sum {
		return nil, fmt.Errorf("its sum is %s, want %s", got, p.Sum)
	}
	packedText, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(packedText); ; {
		head, err := files.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("it has no file %s", p.File)
		}
		if err != nil {
			return nil, err
		}
		if head.Name == path.Join("package", p.File) {
			return io.ReadAll(files)
		}
	}
}

// fromModule returns the file of a Go module, which the go command downloads into its cache.
func fromModule(ctx context.Context, p Part, dir string) ([]byte, error) {
	out, err := output(ctx, dir, "go", "mod", "download", "-json", p.Name+"@"+p.Version)
	if err != nil {
		return nil, err
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, fmt.Errorf("go mod download printed %q: %w", out, err)
	}
	if module.Sum != p.Sum {
		return nil, fmt.Errorf("its sum is %s, want %s", module.Sum, p.Sum)
	}
	return os.ReadFile(filepath.Join(module.Dir, p.File))
}

// output runs a program in a folder and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, plainEnv()
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w\n%s%s", cmd, err, out, exit.Stderr)
	}
	return out, err
}

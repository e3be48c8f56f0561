package datadir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"millrace/internal/atomicfile"
	"millrace/internal/lockfile"
	"millrace/internal/smallfile"
)

// ErrInUse is returned by Open when another process holds the folder.
var ErrInUse = errors.New("in use by another millrace process")

// SecretSize is the length of the secret in bytes.
const SecretSize = 32

// Dir is a data folder whose lock is held.
type Dir struct {
	path string
	lock *lockfile.Lock // nil: another process has it
}

// Open makes the folder if it is missing (mode 0700: it holds raw events) and locks it. It returns ErrInUse if
// another process has it. An empty path is refused: it would be the folder that the process happens to be in.
func Open(path string) (*Dir, error) {
	if path == "" {
		return nil, errors.New("the data folder has no name; give one with --data")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder %q: %w", path, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	lock, err := lockfile.Open(filepath.Join(abs, "lock"))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("data folder %s is %w", abs, ErrInUse)
	}
	if err != nil { // the file "lock" can't be made: no right, a read-only or full disk
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	return &Dir{path: abs, lock: lock}, nil
}

// Beside returns a folder that another process holds, for a caller which that process has let in.
func Beside(abs string) *Dir { return &Dir{path: abs} }

// Close gives the folder free.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	lock := d.lock
	d.lock = nil
	return lock.Close()
}

// Path returns the absolute path of the folder itself.
func (d *Dir) Path() string { return d.path }

// Broker is the folder of the embedded broker.
func (d *Dir) Broker() string { return filepath.Join(d.path, "broker") }

// State is the folder of the engine's state.
func (d *Dir) State() string { return filepath.Join(d.path, "state") }

// Rollups is the folder of the local rollup store.
func (d *Dir) Rollups() string { return filepath.Join(d.path, "rollups") }

// Lake is the folder of the Parquet files.
func (d *Dir) Lake() string { return filepath.Join(d.path, "lake") }

// Salts is the file of the salts of visitor ids.
func (d *Dir) Salts() string { return filepath.Join(d.path, "salts") }

// ImportSalt is the file of the salt of imports.
func (d *Dir) ImportSalt() string { return filepath.Join(d.path, "import-salt") }

// Quotas is the path of the file of the collector's counts of quotas.
func (d *Dir) Quotas() string { return filepath.Join(d.path, "quotas.json") }

// Spool is the folder of what the collector keeps while Kafka is away.
func (d *Dir) Spool() string { return filepath.Join(d.path, "spool") }

// Secret returns the folder's secret, SecretSize bytes, and makes it on first use.
func (d *Dir) Secret() ([]byte, error) {
	if _, err := os.Stat(filepath.Join(d.path, "secret")); d.lock == nil && errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the process that has the data folder was given its secret by --secret: give this one the same")
	}
	text, err := d.once("secret", randomHex(SecretSize))
	if err != nil {
		return nil, err
	}
	secret, err := ParseSecret(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; restore it from a backup, or delete it to begin with new visitor ids",
			filepath.Join(d.path, "secret"), err)
	}
	return secret, nil
}

// ParseSecret reads a secret as it is in the file: 64 hexadecimal digits.
func ParseSecret(text string) ([]byte, error) {
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != SecretSize {
		return nil, fmt.Errorf("a secret has %d hexadecimal digits", 2*SecretSize)
	}
	return secret, nil
}

// CollectorID returns the name of the folder's collector and makes it on first use.
func (d *Dir) CollectorID() (string, error) {
	id, err := d.once("collector-id", "c-"+randomHex(6))
	if err == nil && !collectorForm.MatchString(id) {
		err = fmt.Errorf("%s holds %.60q, which is not 1 to 32 of a-z 0-9 -; restore it, or delete it: the collector then has a new name", filepath.Join(d.path, "collector-id"), id)
	}
	return id, err
}

// collectorForm is what the collector takes.
var collectorForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// once returns the first line of a file and writes text as that line if there is no file.
func (d *Dir) once(name, text string) (string, error) {
	path := filepath.Join(d.path, name)
	data, err := smallfile.Read(path, 1<<16)
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if err := d.Write(name, []byte(text+"\n")); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return text, nil
}

// Write makes or replaces a file of the folder, whole or not at all. The lock keeps others from
// writing it too.
func (d *Dir) Write(name string, data []byte) error {
	return atomicfile.Write(filepath.Join(d.path, name), data, 0o600)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// Without meta.json and topics.json a folder can't be used, however whole its partitions are, and
// neither has a checksum. So their contents are kept a second time, with a checksum, and a damaged
// one is written anew. The copy is made when the broker opens and closes, and whenever the owner
// has made topics; in between kfake may write a newer topics.json, which is why one that differs
// much is left alone.

const copiesFile = "copies.json"

// copies is the file of copies. Sum is the CRC-32C of Meta and then Topics.
type copies struct {
	Sum    uint32 `json:"sum"`
	Meta   string `json:"meta"`
	Topics string `json:"topics"`
}

func (c *copies) sum() uint32 {
	return crc32.Update(crc32.Checksum([]byte(c.Meta), castagnoli), castagnoli, []byte(c.Topics))
}

// Remember copies what the folder can't do without. To be called after topics were made; Open and
// Close do so too.
func (b *Broker) Remember() error {
	if b.opts.Dir == "" {
		return nil
	}
	var c copies
	for name, to := range map[string]*string{metaFile: &c.Meta, topicsFile: &c.Topics} {
		raw, err := os.ReadFile(filepath.Join(b.opts.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // kfake has not written it yet
		}
		if err != nil {
			return fmt.Errorf("copy the broker's topics: %w", err)
		}
		*to = string(raw)
	}
	c.Sum = c.sum()
	if old := readCopies(b.opts.Dir); old != nil && *old == c {
		return nil
	}
	if err := writeJSON(filepath.Join(b.opts.Dir, copiesFile), c); err != nil {
		return fmt.Errorf("copy the broker's topics: %w", err)
	}
	return nil
}

// readCopies returns nil if there are none that are whole.
func readCopies(dir string) *copies {
	raw, err := os.ReadFile(filepath.Join(dir, copiesFile))
	var c copies
	if err != nil || json.Unmarshal(raw, &c) != nil || c.sum() != c.Sum {
		return nil
	}
	return &c
}

// mended returns what damaged files should hold, by name. A file that is missing is not among them:
// an operator who took it away took more with it.
func mended(dir string) (map[string]string, error) {
	c := readCopies(dir)
	if c == nil {
		return nil, nil
	}
	mend := map[string]string{}
	for name, copied := range map[string]string{metaFile: c.Meta, topicsFile: c.Topics} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read broker log: %w", err)
		}
		if string(raw) != copied && (!json.Valid(raw) || alike(string(raw), copied)) {
			mend[name] = copied
		}
	}
	return mend, nil
}

// mend writes damaged files anew.
func mend(dir string, files map[string]string, log *slog.Logger) error {
	for name, content := range files {
		log.Warn("broker: a damaged file is written anew, from its copy", "file", filepath.Join(dir, name))
		if err := writeJSON(filepath.Join(dir, name), json.RawMessage(content)); err != nil {
			return err
		}
	}
	return nil
}

// alike reports whether two texts differ in a few bytes only: by damage. A topic that was made anew
// has another id, of 22 characters, and one that was added makes the file longer. A retention that
// was changed may look like damage; it is raised again at each start.
func alike(a, b string) bool {
	const few = 8
	if len(a) != len(b) {
		return false
	}
	differ := 0
	for i := range len(a) {
		if a[i] != b[i] {
			differ++
		}
	}
	return differ <= few
}

// dropUnreadable removes those of kfake's small files that hold nothing of ours, where they can't
// be read: kfake would not start. All that is in use of them is made anew.
func dropUnreadable(dir string, log *slog.Logger) error {
	for _, name := range []string{"acls.json", "broker_configs.json", "quotas.json", "sasl.json", windowsFile} {
		path := filepath.Join(dir, name)
		raw, err := os.ReadFile(path)
		var v struct {
			Version *int `json:"version"`
		}
		if err != nil || json.Unmarshal(raw, &v) == nil && (v.Version == nil || *v.Version == 1) {
			continue // kfake makes one that is missing, and reports one that it can't open
		}
		log.Warn("broker: a damaged file is left out, nothing is lost by that", "file", path)
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

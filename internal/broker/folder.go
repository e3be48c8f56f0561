package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"millrace/internal/atomicfile"
)

// The files of kfake's format, version 1, that this package reads or writes. An upgrade of kfake
// must compare them; TestOpenReadsWhatKfakeWrote fails if they differ.
const (
	metaFile      = "meta.json"
	topicsFile    = "topics.json"
	sessionFile   = "session_state.json"
	partitionsDir = "partitions"
	snapshotFile  = "snapshot.json"
	groupsFile    = "groups.log"
	pidsFile      = "pids.log"
	windowsFile   = "seq_windows.json" // of sequence numbers
)

type topicsJSON struct {
	Topics []topicJSON `json:"topics"`
}

type topicJSON struct {
	Name       string            `json:"name"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

// partDir is the folder name of a partition, below partitionsDir.
func partDir(topic string, p int32) string {
	return url.PathEscape(topic) + "-" + strconv.Itoa(int(p))
}

// DamageError is what of a folder is damaged. It is an ErrDamaged. What an operator can do depends
// on what the topic holds, which this package does not know.
type DamageError struct {
	Dir  string // the broker's folder
	Path string // of the damaged file or partition's folder, relative to Dir; "" if it is not known
	What string // what is wrong
	// Topic is the damaged partition's; "" if the damage is elsewhere.
	Topic string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("broker log in %q is %v: %s", e.Dir, ErrDamaged, e.What)
}

func (e *DamageError) Unwrap() error { return ErrDamaged }

// damaged makes the error about a file.
func damaged(dir, path, format string, args ...any) error {
	return &DamageError{Dir: dir, Path: path, What: fmt.Sprintf(format, args...)}
}

// damagedPartition makes the error about the folder of a partition.
func damagedPartition(dir, name, format string, args ...any) error {
	e := &DamageError{Dir: dir, Path: filepath.Join(partitionsDir, name), What: name + ": " + fmt.Sprintf(format, args...)}
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		e.Topic, _ = url.PathUnescape(name[:i])
	}
	return e
}

// prepareFolder checks the folder that a stopped or killed broker left, and only if all of it is
// whole or torn as a crash tears it, repairs it: see repair. REQUIRES: the folder is locked.
func prepareFolder(dir string, log *slog.Logger) error {
	if err := onlyFiles(dir); err != nil {
		return err
	}
	files, err := mended(dir)
	if err != nil {
		return err
	}
	topics, fresh, err := readTopics(dir, files)
	if err != nil || fresh {
		return err
	}
	known := make(map[string]bool)
	for _, t := range topics {
		for p := range t.Partitions {
			known[partDir(t.Name, p)] = true
		}
	}
	names, err := partitionNames(dir)
	if err != nil {
		return err
	}
	groups, err := checkStateLog(dir, groupsFile)
	if err != nil {
		return err
	}
	pids, pidsErr := checkStateLog(dir, pidsFile)
	if pidsErr != nil && !errors.Is(pidsErr, ErrDamaged) {
		return pidsErr
	}
	var parts []*partition
	for _, name := range names {
		if !known[name] {
			return damaged(dir, topicsFile, "%s does not know the partition folder %s", topicsFile, name)
		}
		p, err := checkPartition(dir, name)
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}

	repairs := []func() error{
		func() error { return mend(dir, files, log) },
		func() error { return groups.repair(log) },
		func() error { return dropUnreadable(dir, log) },
		func() error {
			if pidsErr != nil {
				return forgetProducers(dir, log)
			}
			return pids.repair(log)
		},
	}
	for _, p := range parts {
		repairs = append(repairs, func() error { return p.repair(log) })
	}
	for _, repair := range repairs {
		if err := repair(); err != nil {
			return fmt.Errorf("repair broker log: %w", err)
		}
	}
	return forgetMembers(filepath.Join(dir, sessionFile))
}

// onlyFiles returns ErrDamaged if anything in the folder is neither a file nor a folder: to open a
// named pipe may take for ever, for kfake too.
func onlyFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Type().IsRegular() {
			return err
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode().IsRegular() { // a link
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return damaged(dir, name, "%s is no regular file", name)
	})
}

// forgetProducers removes what kfake knows of producers, which are gone: new ones get new ids, and
// a sequence begins with each.
func forgetProducers(dir string, log *slog.Logger) error {
	log.Warn("broker: a damaged file is left out, nothing is lost by that", "file", filepath.Join(dir, pidsFile))
	err := os.Remove(filepath.Join(dir, windowsFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(filepath.Join(dir, pidsFile)))
}

// readTopics returns what topics.json holds, or the file that is to be in its place; fresh is true
// if no broker has been here.
func readTopics(dir string, mend map[string]string) (topics []topicJSON, fresh bool, err error) {
	names, err := partitionNames(dir)
	if err != nil {
		return nil, false, err
	}
	for _, name := range []string{metaFile, topicsFile} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			if len(names) > 0 { // kfake would start with no topics and write that down
				return nil, false, damaged(dir, name, "%s is missing but there are partitions", name)
			}
			return nil, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read broker log: %w", err)
		}
		if text, ok := mend[name]; ok {
			raw = []byte(text)
		}
		var t topicsJSON
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, false, damaged(dir, name, "%s: %v", name, err)
		}
		topics = t.Topics
	}
	return topics, false, nil
}

// partitionNames lists the partition folders.
func partitionNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, partitionsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read broker log: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// forgetMembers takes the members of consumer groups out of the state that kfake keeps over a clean
// restart. Its clients lived in this process and are gone; a group that still lists them makes the
// first rebalance wait for their session timeouts.
func forgetMembers(path string) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read broker session state: %w", err)
	}
	var state map[string]json.RawMessage
	if json.Unmarshal(raw, &state) != nil {
		return os.Remove(path) // kfake would ignore and remove it, too
	}
	delete(state, "classicGroups")
	delete(state, "consumerGroups")
	delete(state, "fetchSessions")
	return writeJSON(path, state)
}

// writeJSON replaces a file as a whole: a reader sees the old content or the new.
func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, raw, 0o600) // kfake removes a temporary file of a crash
}

// syncFolder syncs all files written since a time, and the folders they are in.
func syncFolder(dir string, since time.Time) error {
	since = since.Add(-2 * time.Second) // file times are coarser than clocks
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a topic may be deleted while we look
		}
		if err != nil {
			return fmt.Errorf("sync broker log: %w", err)
		}
		if !e.IsDir() && !strings.HasSuffix(path, ".dat") && !strings.HasSuffix(path, ".idx") &&
			!strings.HasSuffix(path, ".log") {
			return nil // kfake syncs what it writes as JSON
		}
		info, err := e.Info()
		if err == nil && !info.ModTime().Before(since) {
			err = syncFile(path, e.IsDir())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sync broker log: %w", err)
		}
		return nil
	})
}

func syncFile(path string, isDir bool) error {
	flag := os.O_RDWR // what Windows needs to sync
	if isDir {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !isDir { // not every system syncs folders
		return err
	}
	return nil
}

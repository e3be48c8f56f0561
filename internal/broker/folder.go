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
)

// The files of kfake's format, version 1, that this package reads or writes. An upgrade of kfake must compare them;
// TestOpenReadsWhatKfakeWrote fails if they differ.
const (
	metaFile      = "meta.json"
	topicsFile    = "topics.json"
	sessionFile   = "session_state.json"
	partitionsDir = "partitions"
	snapshotFile  = "snapshot.json"
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

// damaged says what is wrong with the folder and what its owner can do.
func damaged(dir, format string, args ...any) error {
	return fmt.Errorf("broker log in %q is %w: %s (restore the folder from a copy; to start with an empty log, move "+
		"away all of the data folder: state and archive beside it hold offsets of this log, and do not go with another)",
		dir, ErrDamaged, fmt.Sprintf(format, args...))
}

// prepareFolder checks the folder that a stopped or killed broker left, and only if all of it is whole or torn as a
// crash tears it, repairs it: see repair. REQUIRES: the folder is locked.
func prepareFolder(dir string, log *slog.Logger) error {
	topics, fresh, err := readTopics(dir)
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
	var logs []*stateLog
	for _, name := range []string{"groups.log", "pids.log"} {
		l, err := checkStateLog(dir, name)
		if err != nil {
			return err
		}
		logs = append(logs, l)
	}
	var parts []*partition
	for _, name := range names {
		if !known[name] {
			return damaged(dir, "%s does not know the partition folder %s", topicsFile, name)
		}
		p, err := checkPartition(dir, name)
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}

	for _, l := range logs {
		if err := l.repair(log); err != nil {
			return fmt.Errorf("repair broker log: %w", err)
		}
	}
	for _, p := range parts {
		if err := p.repair(log); err != nil {
			return fmt.Errorf("repair broker log: %w", err)
		}
	}
	return forgetMembers(filepath.Join(dir, sessionFile))
}

// readTopics returns what topics.json says; fresh is true if no broker has been here.
func readTopics(dir string) (topics []topicJSON, fresh bool, err error) {
	names, err := partitionNames(dir)
	if err != nil {
		return nil, false, err
	}
	for _, name := range []string{metaFile, topicsFile} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			if len(names) > 0 { // kfake would start with no topics and write that down
				return nil, false, damaged(dir, "%s is missing but there are partitions", name)
			}
			return nil, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read broker log: %w", err)
		}
		var t topicsJSON
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, false, damaged(dir, "%s: %v", name, err)
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

// forgetMembers takes the members of consumer groups out of the state that kfake keeps over a clean restart. Its
// clients lived in this process and are gone; a group that still lists them makes the first rebalance wait for
// their session timeouts.
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
	tmp := path + ".tmp" // kfake removes those that a crash leaves
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
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

package commits

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"millrace/engine/event"
	"millrace/engine/wire"
)

// State is the fold of the commits of a partition that counted. The zero value is not one: see NewState. It belongs to one
// goroutine as long as it is changed by Apply; what Chain.State and Snapshot give is never changed any more.
type State struct {
	// Topic and Partition name the log that hits are made of. Topic is the name that the archive has of it, without a prefix.
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Version counts the commits that counted, from 0; it is that of both tables' logs. none (-1) before the first.
	Version int64 `json:"version"`
	// Epoch and Offset are where the last commit that counted stands: together they are the base of the next. 0 and -1 before the
	// first.
	Epoch  int64 `json:"epoch"`
	Offset int64 `json:"offset"`
	// Sum is a hash over all commits that counted: two states with one sum are one.
	Sum string `json:"sum"`
	// Last is a hash of the last record that counted.
	Last string `json:"last"`
	// At is the writer's wall-clock time of the last commit.
	At event.Time `json:"at"`
	// Created is that of the first.
	Created event.Time `json:"created"`

	// See Change.
	Next      int64      `json:"next"`
	Watermark event.Time `json:"watermark"`
	Began     event.Time `json:"began"`
	Rules     string     `json:"rules"`
	Imports   []string   `json:"imports,omitempty"`

	files       map[string]*File
	checkpoints []Checkpoint // in order of the log
	removed     map[string]Removed
	erasures    []Erasure // by site and visitor; never changed: replaced

	lax   bool // rule L1 is not kept, and reuse: nor L4. For tests of what they are for
	reuse bool
}

// Removed is an object that was live, and may be in the store still.
type Removed struct {
	Key string `json:"key"`
	// Version is that of the commit that has removed it.
	Version int64 `json:"version"`
}

// NewState returns the state before the first commit.
func NewState(topic string, partition int32) *State {
	return &State{Topic: topic, Partition: partition, Version: none, Offset: none, files: map[string]*File{}, removed: map[string]Removed{}}
}

// Clone returns a copy, of which Apply may be called without changing s.
func (s *State) Clone() *State {
	c := *s
	c.files, c.checkpoints, c.removed = maps.Clone(s.files), slices.Clone(s.checkpoints), maps.Clone(s.removed)
	return &c
}

// Files returns the live files of a table in order of their keys: by day, and within it by level and offset.
func (s *State) Files(t Table) []*File {
	var list []*File
	for _, key := range slices.Sorted(maps.Keys(s.files)) {
		if f := s.files[key]; f.Table == t {
			list = append(list, f)
		}
	}
	return list
}

// File returns the live file with a key, nil if there is none.
func (s *State) File(key string) *File { return s.files[key] }

// NumFiles returns the number of live files of both tables.
func (s *State) NumFiles() int { return len(s.files) }

// Checkpoints returns the live checkpoints in order of the log: those that engine.Ledger.Load wants.
func (s *State) Checkpoints() []Checkpoint { return s.checkpoints }

// Removed returns what was live and has not been said to be deleted, in order of the keys.
func (s *State) Removed() []Removed {
	var list []Removed
	for _, key := range slices.Sorted(maps.Keys(s.removed)) {
		list = append(list, s.removed[key])
	}
	return list
}

// Names reports whether the state names an object: as a live file or checkpoint, or as one that is removed.
func (s *State) Names(key string) bool {
	_, removed := s.removed[key]
	return removed || s.files[key] != nil || slices.ContainsFunc(s.checkpoints, func(c Checkpoint) bool { return c.Key == key })
}

// Change returns a change that changes nothing.
func (s *State) Change() Change {
	return Change{Next: s.Next, Watermark: s.Watermark, Began: s.Began, Rules: s.Rules, Imports: s.Imports}
}

// Check returns why a change does not fit the state, wrapping ErrChange. A commit of it, if it is based on the state, counts if
// and only if it is nil.
func (s *State) Check(c *Change) error {
	if err := s.check(c); err != nil {
		return fmt.Errorf("%w: %w", ErrChange, err)
	}
	return nil
}

func (s *State) check(c *Change) error {
	if c.Next < 0 || c.Next < s.Next && !c.Anew {
		return fmt.Errorf("it goes back from record %d to %d", s.Next, c.Next)
	}
	gone := map[string]bool{}
	for _, key := range c.Remove {
		if s.files[key] == nil || gone[key] {
			return fmt.Errorf("it removes %q, which is not there", key)
		}
		gone[key] = true
	}
	come := map[string]bool{}
	for i := range c.Add {
		f := &c.Add[i]
		if err := f.validate(); err != nil {
			return err
		}
		if f.Next > c.Next || come[f.Key] || s.Names(f.Key) && !s.reuse {
			return fmt.Errorf("it adds %q, which is there already or ahead of it", f.Key)
		}
		come[f.Key] = true
	}
	if p := c.Checkpoint; p != nil {
		if err := p.validate(); err != nil {
			return err
		}
		if p.Last >= c.Next || come[p.Key] || s.Names(p.Key) {
			return fmt.Errorf("its checkpoint %q is there already or ahead of it", p.Key)
		}
		if n := len(s.checkpoints); n > 0 && !c.Anew && p.Last <= s.checkpoints[n-1].Last {
			return fmt.Errorf("its checkpoint %q is before that of record %d", p.Key, s.checkpoints[n-1].Last)
		}
	}
	for _, key := range c.Deleted {
		if _, ok := s.removed[key]; !ok {
			return fmt.Errorf("it forgets %q, which was not removed", key)
		}
	}
	return s.checkErased(c)
}

func (s *State) checkErased(c *Change) error {
	for i := range c.Erase {
		if err := c.Erase[i].Validate(); err != nil {
			return err
		}
	}
	if c.CleanOf < 0 || c.CleanOf > max(s.Version, 0) {
		return fmt.Errorf("it says that files are clean of version %d, and this is %d", c.CleanOf, s.Version)
	}
	return nil
}

// ErrFold is wrapped by the error of Apply for a record that begins an epoch with a fold that can't be read.
var ErrFold = errors.New("the fold that an epoch begins with can't be read")

// Apply takes the next record of the topic and reports whether it counted. Of those that did not nothing changes, and why says
// why not, for people. An error means that the state can't be known from here on: a later release has written the record
// (wire.ErrNewer), or fold, which reads folds, has no fold for it (ErrFold).
func (s *State) Apply(offset int64, record []byte, fold func(FoldRef) (*State, error)) (counted bool, why string, err error) {
	c, err := Decode(record)
	switch {
	case errors.Is(err, wire.ErrNewer):
		return false, "", fmt.Errorf("commit %d of partition %d: %w", offset, s.Partition, err)
	case err != nil:
		return false, err.Error(), nil
	case c.Kind == Marks:
		return false, "a mark", nil
	case c.Kind == Begins:
		return s.begin(offset, c, record, fold)
	case c.Epoch != max(s.Epoch, 1):
		return false, fmt.Sprintf("it is of epoch %d, and this is %d", c.Epoch, s.Epoch), nil
	case !s.lax && (c.Base != s.Offset || offset <= s.Offset):
		return false, fmt.Sprintf("its base is %d, and the last commit %d", c.Base, s.Offset), nil
	}
	if err := s.Check(&c.Change); err != nil {
		return false, err.Error(), nil
	}
	s.count(offset, c, record)
	s.change(&c.Change)
	return true, "", nil
}

// begin begins an epoch: of two that begin one, the first counts.
func (s *State) begin(offset int64, c *Commit, record []byte, fold func(FoldRef) (*State, error)) (counted bool, why string, err error) {
	if c.Epoch <= s.Epoch {
		return false, fmt.Sprintf("it begins epoch %d, and this is %d", c.Epoch, s.Epoch), nil
	}
	from := NewState(s.Topic, s.Partition)
	if c.Fold != nil && c.Fold.Sum == s.Sum {
		from = s
	} else if c.Fold != nil {
		if from, err = fold(*c.Fold); err != nil {
			return false, "", fmt.Errorf("commit %d of partition %d: %w: %w", offset, s.Partition, ErrFold, err)
		}
	}
	lax, reuse := s.lax, s.reuse
	*s = *from.Clone()
	s.lax, s.reuse = lax, reuse
	s.count(offset, c, record)
	s.erase(slices.DeleteFunc(c.Change.Erase, func(e Erasure) bool { return e.Validate() != nil }), s.Next)
	return true, "", nil
}

func (s *State) count(offset int64, c *Commit, record []byte) {
	s.Version++
	s.Epoch, s.Offset, s.At = c.Epoch, offset, c.At
	if s.Version == 0 {
		s.Created = c.At
	}
	s.Last = sum(record)
	s.Sum = sum(fmt.Appendf(nil, "%s %d %s", s.Sum, offset, s.Last))
}

// sum is the hash of folds and records, 32 hexadecimal digits.
func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:16])
}

func (s *State) change(c *Change) {
	for _, key := range c.Deleted {
		delete(s.removed, key)
	}
	remove := func(key string) { s.removed[key] = Removed{key, s.Version} }
	for _, key := range c.Remove {
		delete(s.files, key)
		remove(key)
	}
	if c.Anew {
		for key := range s.files {
			remove(key)
		}
		clear(s.files)
		for i := range s.checkpoints {
			remove(s.checkpoints[i].Key)
		}
		s.checkpoints = nil
	}
	for i := range c.Add {
		f := c.Add[i]
		f.Added = s.At
		s.files[f.Key] = &f
		delete(s.removed, f.Key) // there is none, but for reuse
	}
	if c.Checkpoint != nil {
		s.checkpoints = append(slices.Clip(s.checkpoints), *c.Checkpoint)
		s.checkpoints = slices.DeleteFunc(s.checkpoints, func(p Checkpoint) bool {
			if needed(&p, c.Checkpoint) {
				return false
			}
			remove(p.Key)
			return true
		})
	}
	for _, key := range c.Clean {
		if f := s.files[key]; f != nil && f.Clean < c.CleanOf {
			clean := *f
			clean.Clean = c.CleanOf
			s.files[key] = &clean
		}
	}
	next := s.Next
	if c.Anew {
		s.eraseNone()
		next = 0
	}
	s.erase(c.Erase, next)
	s.Next, s.Watermark, s.Began, s.Rules, s.Imports = c.Next, c.Watermark, c.Began, c.Rules, c.Imports
}

// needed reports whether a checkpoint is needed to go on after the last one: it is engine.Needed, which this package may not
// import.
func needed(p, last *Checkpoint) bool {
	return p.Key == last.Key || p.IDs >= last.SeenFrom || p.Until >= last.Watermark
}

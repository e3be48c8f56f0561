package sim

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// DiskErrors counts the writes that a disk refused, by what the store was at and that ended with
// it.
type DiskErrors struct {
	Open, Recovery int // the store was opened, or read the changelog: it is tried again
	Work, Close    int // it applied a delta or asked for a window, or was closed: its owner is replaced
}

// add adds those of another run.
func (d *DiskErrors) add(o *DiskErrors) {
	d.Open += o.Open
	d.Recovery += o.Recovery
	d.Work += o.Work
	d.Close += o.Close
}

// String says what the stores were at when the disk refused.
func (d *DiskErrors) String() string {
	return fmt.Sprintf("%d opens, %d recoveries, %d owners at work and %d closes that the disk ended", d.Open, d.Recovery, d.Work, d.Close)
}

// badDisk refuses one write, or all from that one on, as a full disk does. Pebble writes from
// goroutines of its own, too.
type badDisk struct {
	at     int64
	full   bool
	writes atomic.Int64
}

// inject decides for one operation. Reads never fail: what a disk gives back wrong is Pebble's
// checksums' business, and tested in package state.
func (b *badDisk) inject(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpLock, errorfs.OpFileClose, errorfs.OpFilePreallocate:
		return nil // locks are not held over a restart here, and an error of Close has closed nonetheless
	}
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if n := b.writes.Add(1); n == b.at || b.full && n > b.at {
		return errorfs.ErrInjected
	}
	return nil
}

// mount returns a disk as the store that is about to be opened sees it. To open one takes 20
// writes, or 60 in an empty folder, and few stores live for 500.
func (s *Sim) mount(disk int) vfs.FS {
	if !s.opts.BadDisk || s.opts.Calm || s.settling || s.rng.IntN(4) == 0 {
		return s.disks[disk]
	}
	b := &badDisk{at: 1 + s.rng.Int64N(32<<s.rng.IntN(5)), full: s.rng.IntN(2) == 0}
	return errorfs.Wrap(s.disks[disk], errorfs.InjectorFunc(b.inject))
}

// refused reports whether an error is the disk's.
func refused(err error) bool { return errors.Is(err, errorfs.ErrInjected) }

// losePower leaves of a disk what it has synced, and a random part of the rest.
func (s *Sim) losePower(disk int) {
	kept := []int{0, 50, 100}[s.rng.IntN(3)]
	s.disks[disk] = s.disks[disk].CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: s.rng})
	s.Crashes++
}

// mayLosePower does so half of the times that a disk has refused a write.
func (s *Sim) mayLosePower(disk int) {
	if s.rng.IntN(2) == 0 {
		s.losePower(disk)
	}
}

// replace ends a node whose disk has refused a write. An owner is started again.
func (s *Sim) replace(n *node) error {
	s.DiskErrors.Work++
	n.refused = true
	owner := n == s.nodes[len(s.nodes)-1]
	if err := n.crash(s.rng.IntN(2) == 0); err != nil || !owner {
		return err
	}
	return s.start(n.disk)
}

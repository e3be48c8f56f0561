package chaos

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"golang.org/x/net/proxy"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/state"
)

// The named points at which a worker can be told to kill itself.
const (
	midRecord        = "mid-record"         // while the events of a record are looked at
	beforeLocalWrite = "before-local-write" // the delta is made, the store does not have it
	afterLocalWrite  = "after-local-write"  // the store has it, the changelog may not
	beforeSend       = "before-send"        // a produce request is about to be written
	afterSend        = "after-send"         // it is written, nobody has heard an answer
	produceAnswered  = "produce-answered"   // the answer has arrived, nobody has read it
	beforeAck        = "before-ack"         // a delta's acknowledgement is about to be noted
	afterAck         = "after-ack"          // it is noted
	beforeCommit     = "before-commit"      // a commit is about to be written
	afterCommitSent  = "after-commit-sent"  // it is written, nobody has heard an answer
	afterCommit      = "after-commit"       // it has been answered and noted
	midFire          = "mid-fire"           // between the windows that a tick fires
	midRedelivery    = "mid-redelivery"     // a record that was applied before has come again
	midRecovery      = "mid-recovery"       // while the changelog is read
	manifestWrite    = "manifest-write"     // a write to the store's list of its tables
	tableWrite       = "table-write"        // a write to one of the store's tables: flush or compaction
	midDelete        = "mid-delete"         // the store removes a file that it needs no more
	storeOpen        = "store-open"         // the store has just been opened
)

// Points returns the names of the points, in the order of a record's way.
func Points() []string {
	return []string{
		midRecord, beforeLocalWrite, afterLocalWrite, beforeSend, afterSend, produceAnswered, beforeAck, afterAck,
		beforeCommit, afterCommitSent, afterCommit, midFire, midRedelivery, midRecovery, manifestWrite, tableWrite, midDelete, storeOpen,
	}
}

// bomb kills the process at the nth time it comes by a point. The zero value does nothing.
type bomb struct {
	point string
	left  atomic.Int64
}

// hit says that the process has come by a point. It does not return if this was the time.
func (b *bomb) hit(point string) {
	if b.point != point || b.left.Add(-1) != 0 {
		return
	}
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("kill myself: %v", err))
	}
	select {} // the signal is on its way
}

// bombTable has the points around the journal. It also counts what recovery reads.
type bombTable struct {
	*state.Table
	bomb *bomb
	seen *recovery
}

// Builder wraps the storage of a partition.
func (t *bombTable) Builder(topic string, partition int32) (storage.Storage, error) {
	s, err := t.Table.Builder(topic, partition)
	return &bombStorage{s, t.bomb}, err
}

// Update is called for each record of the changelog.
func (t *bombTable) Update(ctx goka.UpdateContext, s storage.Storage, key string, value []byte) error {
	t.seen.note(value)
	err := t.Table.Update(ctx, s, key, value)
	t.bomb.hit(midRecovery)
	return err
}

// Acked has a point on either side of what J3 and J6 do.
func (t *bombTable) Acked(partition int32, offset, position int64) {
	t.bomb.hit(beforeAck)
	t.Table.Acked(partition, offset, position)
	t.bomb.hit(afterAck)
}

// Committed is behind the answer to a commit.
func (t *bombTable) Committed(partition int32, next int64) {
	t.Table.Committed(partition, next)
	t.bomb.hit(afterCommit)
}

// bombStorage has the points of a store that opens, and of a delta that is applied.
type bombStorage struct {
	storage.Storage
	bomb *bomb
}

// Open has its point between the opening of the store and the first record of the changelog.
func (s *bombStorage) Open() error {
	err := s.Storage.Open()
	s.bomb.hit(storeOpen)
	return err
}

// Set is how goka hands over a live delta.
func (s *bombStorage) Set(key string, value []byte) error {
	s.bomb.hit(beforeLocalWrite)
	err := s.Storage.Set(key, value)
	s.bomb.hit(afterLocalWrite)
	return err
}

// bombStore has the points of firing and of what comes again. There is one for each store: the
// engine tells a new store from the old one by it.
type bombStore struct {
	engine.Store
	bomb *bomb
}

// Fold is called once for each window that fires.
func (s *bombStore) Fold(k window.Kind, site string, start event.Time, a *window.Agg) (int, error) {
	n, err := s.Store.Fold(k, site, start, a)
	s.bomb.hit(midFire)
	return n, err
}

// Outbox is asked for a record that was applied before and has come again.
func (s *bombStore) Outbox(offset int64) ([]byte, error) {
	b, err := s.Store.Outbox(offset)
	s.bomb.hit(midRedelivery)
	return b, err
}

// bombStores makes one bombStore of each store.
type bombStores struct {
	table *state.Table
	bomb  *bomb
	mu    sync.Mutex // guards of
	of    map[*state.Store]*bombStore
}

// get returns the store of a partition, wrapped, while there is one.
func (b *bombStores) get(partition int32) (engine.Store, bool) {
	s, ok := b.table.Store(partition)
	if !ok {
		return nil, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[s] == nil {
		b.of[s] = &bombStore{s, b.bomb}
	}
	return b.of[s], true
}

// bombDeriver has the point in the midst of a record.
type bombDeriver struct {
	engine.Deriver
	bomb *bomb
}

// Row implements engine.Deriver.
func (d bombDeriver) Row(e *event.Event, r *window.Row) {
	d.Deriver.Row(e, r)
	d.bomb.hit(midRecord)
}

// bombDialer has the points of the wire.
type bombDialer struct {
	bomb *bomb
	via  map[string]string // where to dial an address instead
}

var _ proxy.Dialer = bombDialer{}

// Dial implements proxy.Dialer.
func (d bombDialer) Dial(network, addr string) (net.Conn, error) {
	c, err := net.Dial(network, cmp.Or(d.via[addr], addr))
	if err != nil {
		return nil, err
	}
	return &bombConn{Conn: c, bomb: d.bomb}, nil
}

// Keys of Kafka's requests.
const (
	produceKey = 0
	commitKey  = 8
)

// bombConn is a connection to a broker. It looks into requests only as far as their key.
type bombConn struct {
	net.Conn
	bomb    *bomb
	waiting atomic.Bool // for the answer to a produce request
}

// Write has a point on either side of a request.
func (c *bombConn) Write(b []byte) (int, error) {
	key := -1
	if len(b) >= 6 { // Sarama writes a request, its length in front, at once
		key = int(binary.BigEndian.Uint16(b[4:]))
	}
	switch key {
	case produceKey:
		c.bomb.hit(beforeSend)
		c.waiting.Store(true)
	case commitKey:
		c.bomb.hit(beforeCommit)
	}
	n, err := c.Conn.Write(b)
	switch key {
	case produceKey:
		c.bomb.hit(afterSend)
	case commitKey:
		c.bomb.hit(afterCommitSent)
	}
	return n, err
}

// Read has its point where an answer has arrived in this process and nobody knows it.
func (c *bombConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.waiting.CompareAndSwap(true, false) {
		c.bomb.hit(produceAnswered)
	}
	return n, err
}

// bombFS has the points of the store's files.
type bombFS struct {
	vfs.FS
	bomb *bomb
}

// Create wraps files that have a point.
func (f bombFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.wrap(name, file), err
}

// ReuseForWrite wraps files that have a point.
func (f bombFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(old, name, category)
	return f.wrap(name, file), err
}

// Remove has its point behind what it does: a file is gone, and the next one that is to go is
// there.
func (f bombFS) Remove(name string) error {
	err := f.FS.Remove(name)
	f.bomb.hit(midDelete)
	return err
}

// wrap returns a file with its point, or the file as it is.
func (f bombFS) wrap(name string, file vfs.File) vfs.File {
	point := ""
	switch base := filepath.Base(name); {
	case strings.HasSuffix(base, ".sst"):
		point = tableWrite
	case strings.HasPrefix(base, "MANIFEST"):
		point = manifestWrite
	}
	if file == nil || point == "" {
		return file
	}
	return &bombFile{file, f.bomb, point}
}

// bombFile is a file of which a write can be cut in two.
type bombFile struct {
	vfs.File
	bomb  *bomb
	point string
}

// Write leaves half of what it was given: the rest is cut off by the kill.
func (f *bombFile) Write(b []byte) (int, error) {
	if f.bomb.point != f.point {
		return f.File.Write(b)
	}
	half := len(b) / 2
	n, err := f.File.Write(b[:half])
	if err != nil {
		return n, err
	}
	f.bomb.hit(f.point)
	m, err := f.File.Write(b[half:])
	return n + m, err
}

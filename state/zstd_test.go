package state

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestZstd: Pebble reads what it has compressed with internal/zstd, which go.mod puts in the place
// of another module. A Store compresses nothing so; a later Pebble may.
func TestZstd(t *testing.T) {
	t.Parallel()
	o := &pebble.Options{FS: vfs.NewMem(), Logger: quiet{pebble.DefaultLogger}}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.UniformDBCompressionSettings(sstable.ZstdCompression)
	})
	db, err := pebble.Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2_000
	value := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "value %d ", i), 1+i%40) }
	for i := range n {
		if err := db.Set(fmt.Appendf(nil, "%06d", i), value(i), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	switch size, err := db.EstimateDiskUsage([]byte("0"), []byte("9")); {
	case err != nil:
		t.Fatal(err)
	case size == 0, size > n*50:
		t.Errorf("%d values of 200 bytes on average have become %d bytes: nothing was compressed", n, size)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = pebble.Open("", o); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range n {
		got, closer, err := db.Get(fmt.Appendf(nil, "%06d", i))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, value(i)) {
			t.Fatalf("value %d is %q", i, got)
		}
		closer.Close()
	}
}

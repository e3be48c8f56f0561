//go:build disaster

package disaster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/blob"
)

func playBucket(t *testing.T, title string) { playBucketAt(t, title, bucket(t)) }

// playBucketAt has a bucket emptied, the page's address of which is another by words.
func playBucketAt(t *testing.T, title string, words []string) {
	t.Helper()
	addr, _, _ := mustBroker(t, t.TempDir())
	d := newStage(t, title, options{clusterConfig, append(words, kafkaAddress, addr)})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.counted(0)
	d.byHits()
	d.emptyBucket()
	d.send(more())
	d.commands(0)
	d.archived(d.acked())
	d.repaired(0)
	d.byHits()
	d.verified()
	d.done()
}

// emptyBucket deletes every object of the archive.
func (d *stage) emptyBucket() {
	d.t.Helper()
	store, err := blob.Open(d.archive())
	if err != nil {
		d.t.Fatal(err)
	}
	var keys []string
	for info, err := range store.List(d.t.Context(), "", "") {
		if err != nil {
			d.t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	for _, key := range keys {
		if err := store.Delete(d.t.Context(), key); err != nil {
			d.t.Fatal(err)
		}
	}
	if len(keys) == 0 {
		d.t.Fatal("the bucket is empty already")
	}
}

// playKafka has the cluster replaced by a new one at the same address.
func playKafka(t *testing.T, title string) {
	dir := t.TempDir()
	addr, away, back := mustBroker(t, dir)
	d := newStage(t, title, options{clusterConfig, append(bucket(t), kafkaAddress, addr)})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.counted(0)
	d.send(more())
	rows, err := d.rows() // what is archived after this is no loss, and the test may know less than there is
	if err != nil {
		t.Fatal(err)
	}
	away()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	back()
	d.anew(int(rows))
}

// anew has the service refuse another log, and runs the commands that begin with it.
func (d *stage) anew(atLeast int) {
	d.t.Helper()
	d.stop()
	if err := d.tryStart(); err == nil {
		d.t.Error("the service starts on another log")
	}
	d.kill()
	d.commands(0)
	d.waitFor(patience, func() error {
		n, err := d.missing()
		if err == nil && n > d.acked()-atLeast {
			err = fmt.Errorf("%d of %d events are not counted, of which %d are archived\n%s", n, d.acked(), atLeast, d.log.String())
		}
		return err
	})
	rpo, err := d.missing()
	if err != nil {
		d.t.Fatal(err)
	}
	d.figures(rpo)
	d.sent = map[string]int{}
	d.sendOnce(more())
	d.counted(0)
	d.byHits()
	d.done()
}

// playHits has the objects of hits lost, or some of them, and then the topic that says which there are.
func playHits(t *testing.T, title string) {
	addr, _, _ := mustBroker(t, t.TempDir())
	playHitsAt(t, title, bucket(t), addr)
}

func playHitsAt(t *testing.T, title string, words []string, kafka string) {
	t.Helper()
	folder := strings.TrimPrefix(words[1], "file://")
	d := newStage(t, title, options{clusterConfig, append(words, "/srv/archive", folder, kafkaAddress, kafka)})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.byHits()
	files, err := filepath.Glob(folder + "/hits/*/dt=*/*.parquet")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[0]); err != nil { // the rest is of no use either
		t.Fatal(err)
	}
	d.send(more())
	d.commands(0)
	d.repaired(0)
	d.byHits()
	if err := d.forget(strings.Fields("kafka-topics.sh --delete --topic millrace.commits")); err != nil {
		t.Fatal(err)
	}
	d.send(more())
	d.commands(1)
	d.archived(d.acked())
	d.repaired(0)
	d.byHits()
	d.send(more())
	d.byHits()
	d.verified()
	d.done()
}

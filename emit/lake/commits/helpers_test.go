package commits

import (
	"log/slog"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/internal/kafka"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	os.Exit(m.Run())
}

// world is a topic of commits in a Kafka of this process, and an archive in a folder.
type world struct {
	tb      testing.TB
	kafka   *kfake.Cluster
	cluster *kafka.Cluster
	topics  *Topics
	store   *blob.Folder
	dir     string
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb, dir: tb.TempDir() + "/lake"}
	w.startKafka()
	var err error
	if w.store, err = blob.OpenFolder(w.dir); err != nil {
		tb.Fatal(err)
	}
	return w
}

// startKafka starts a Kafka with an empty topic, in the place of the one before.
func (w *world) startKafka() {
	w.tb.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, Topic))
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(k.Close)
	w.kafka, w.cluster = k, &kafka.Cluster{Brokers: k.ListenAddrs()}
	if w.topics, err = OpenTopics(w.cluster); err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { w.topics.Close() })
}

func (w *world) options() Options {
	return Options{Topic: event.Topic, Partition: 3, Log: w.topics.Partition(3), Store: w.store,
		Logger: slog.New(slog.NewTextHandler(w.tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

func (w *world) mustOpen() *Chain {
	w.tb.Helper()
	c, err := Open(w.tb.Context(), w.options())
	if err != nil {
		w.tb.Fatal(err)
	}
	return c
}

func mustCommit(tb testing.TB, c *Chain, change Change) {
	tb.Helper()
	if counted, err := c.Commit(tb.Context(), change); err != nil || !counted {
		tb.Fatalf("commit: counted %v, %v", counted, err)
	}
}

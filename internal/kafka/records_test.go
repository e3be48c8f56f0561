package kafka

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestRecords reads pieces of a log; a piece whose beginning is no more is an error that says so.
func TestRecords(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	c := &Cluster{Brokers: fake.ListenAddrs()}
	client, err := kgo.NewClient(append(c.ClientOptions(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 50 {
		r := &kgo.Record{Topic: "log", Partition: 1, Value: fmt.Append(nil, i)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from, to int64) (got []string, err error) {
		err = c.Records(t.Context(), "log", 1, from, to, func(offset int64, value []byte) error {
			got = append(got, fmt.Sprint(offset, "=", string(value)))
			return nil
		})
		return got, err
	}
	for _, f := range [][2]int64{{0, 50}, {0, 1}, {49, 50}, {20, 23}, {7, 7}} {
		var want []string
		for i := f[0]; i < f[1]; i++ {
			want = append(want, fmt.Sprint(i, "=", i))
		}
		if got, err := read(f[0], f[1]); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d to %d: %q, %v", f[0], f[1], got, err)
		}
	}
	stop := errors.New("enough")
	if err := c.Records(t.Context(), "log", 1, 0, 50, func(int64, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the callback's error", err)
	}
	before := kadm.Offsets{}
	before.AddOffset("log", 1, 10, -1)
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if _, err := read(5, 20); !errors.Is(err, ErrDeleted) {
		t.Errorf("got %v, want ErrDeleted", err)
	}
}

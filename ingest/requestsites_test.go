package ingest

import (
	"fmt"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

// Each site has one number, in the order in which they come, also after a reset.
func TestRequestSites(t *testing.T) {
	var s requestSites
	for _, sites := range []int{1, 2, 3, 128, 1000, 1} {
		for round := range 2 {
			for i := range sites {
				id := fmt.Sprintf("site-%d.example", i)
				n, fresh := s.number(id)
				if n != int32(i) || fresh != (round == 0) {
					t.Fatalf("%d sites, round %d: %s is number %d, new: %v", sites, round, id, n, fresh)
				}
				in := protocol.Input{Number: n}
				in.Site = id
				for _, in.Shard = range []uint16{0, 3, 3, 0} {
					if got, want := s.partition(&in, 7), event.Partition(id, in.Shard, 7); got != want {
						t.Fatalf("%s, shard %d: partition %d, want %d", id, in.Shard, got, want)
					}
				}
			}
		}
		s.reset()
	}
}

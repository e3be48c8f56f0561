package roles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"millrace/emit/lake"
	"millrace/emit/lake/commits"
	"millrace/engine"
)

// HitsOptions say what hits are made by: what the stream counts by. All fields but Merges are required.
type HitsOptions struct {
	Rules      engine.Rules
	NewDeriver func() engine.Deriver
	// By names what NewDeriver counts by.
	By string
	// Merges are how files are merged.
	Merges lake.MergeOptions
}

// hits returns how an archiver makes hits, and what closes it.
func (o *ArchiveOptions) hits() (*lake.HitsOptions, func() error, error) {
	if o.Hits == nil {
		return nil, func() error { return nil }, nil
	}
	topics, err := commits.OpenTopics(o.Cluster)
	if err != nil {
		return nil, nil, err
	}
	h, events := *o.Hits, o.Cluster.Names.Of(engine.EventsTopic)
	rules := h.Rules.WithDefaults()
	return &lake.HitsOptions{
		NewLedger: func(partition int32) lake.Ledger {
			return engine.NewLedger(engine.LedgerOptions{Topic: engine.EventsTopic, Partition: partition, Rules: h.Rules, Deriver: h.NewDeriver()})
		},
		Rules: nameOfRules(rules, h.By),
		Head: func(checkpoint []byte) (commits.Checkpoint, error) {
			head, err := engine.ReadHead(checkpoint)
			return commits.Checkpoint{Prev: head.Prev, Last: head.Last, IDs: head.IDs, SeenFrom: head.SeenFrom, Until: head.Until, Watermark: head.Watermark}, err
		},
		Commits: topics.Partition,
		Records: func(ctx context.Context, partition int32, from, to int64, f func(offset int64, value []byte) error) error {
			return o.Cluster.Records(ctx, events, partition, from, to, f)
		},
		Merges: h.Merges,
		Settle: rules.VisitLength + rules.VisitTimeout + rules.Lateness,
	}, topics.Close, nil
}

// nameOfRules names rules and what a deriver counts by.
func nameOfRules(r engine.Rules, by string) string {
	sum := sha256.Sum256(append(engine.EncodeRules(r), by...))
	return hex.EncodeToString(sum[:8])
}

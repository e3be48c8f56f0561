package hitread

import (
	"context"

	"millrace/engine/hits"
	"millrace/engine/visit"
)

// Visits implements hits.Snapshot.
func (s *snapshot) Visits(ctx context.Context, sel *hits.Selection, fn func(worker int, b hits.VisitBlock) error) error {
	all, err := s.fold(ctx, sel.Site, sel.From, sel.To, func(int32, visit.ID) bool { return false })
	if err != nil {
		return err
	}
	for partition, of := range all {
		for _, b := range of.blocks(partition, sel.From, sel.To) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(0, b); err != nil {
				return err
			}
		}
	}
	return nil
}

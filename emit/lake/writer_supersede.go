package lake

import (
	"context"
	"fmt"
	"math"
	"strings"

	"millrace/engine/event"
)

// Placed are the objects of imports by builds before, by topic: their events have ids by place.
type Placed map[string][]Key

// isPlaced reports whether a topic is one that PlacedTopic names.
func isPlaced(topic string) bool {
	hash, ok := strings.CutPrefix(topic, ImportPrefix)
	return ok && strings.Trim(hash, "0123456789abcdef") == ""
}

// FindPlaced lists the lake for them.
func (l *Reader) FindPlaced(ctx context.Context) (Placed, error) {
	hours, err := l.Hours(ctx, math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	found := Placed{}
	for _, h := range hours {
		for _, k := range h.Keys {
			if isPlaced(k.Topic) {
				found[k.Topic] = append(found[k.Topic], k)
			}
		}
	}
	return found, nil
}

// Supersede deletes what a build before has imported of a file that has been imported again, and
// returns the time that it was of, [from, to); both are 0 if there is nothing. Of an import that a
// crash cut short, the rest goes when it is repeated: the events count once as long as both are
// there.
func (l *Reader) Supersede(ctx context.Context, placed Placed, topic string) (from, to event.Time, err error) {
	keys := placed[topic]
	for i, k := range keys {
		if i == 0 || k.Hour < from {
			from = k.Hour
		}
		to = max(to, k.Hour+event.Hour)
		if err := l.store.Delete(ctx, k.String()); err != nil {
			return 0, 0, fmt.Errorf("import: %w", err)
		}
	}
	for _, prefix := range []string{progressPrefix, oldProgressPrefix} {
		for info, err := range l.store.List(ctx, prefix+topic+"-", "") {
			if err == nil {
				err = l.store.Delete(ctx, info.Key)
			}
			if err != nil {
				return 0, 0, fmt.Errorf("import: %w", err)
			}
		}
	}
	return from, to, nil
}

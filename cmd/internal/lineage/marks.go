package lineage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/emit/lake"
)

// reachesMarks returns an error if the log ends before what was made of it.
func (g *Guard) reachesMarks(v *view, marks []Mark) error {
	ends := map[string]map[int32]int64{}
	for name, t := range v.topics {
		ends[name] = t.ends
	}
	ofTopic := func(topic string) []Mark {
		return slices.DeleteFunc(slices.Clone(marks), func(m Mark) bool { return m.Topic != topic })
	}
	if lost := firstBehind(ofTopic(g.events()), ends); lost != nil {
		return fmt.Errorf("%w; %s", lost, g.waysOut())
	}
	if lost := firstBehind(ofTopic(g.table()), ends); lost != nil {
		return fmt.Errorf("%w; %s", lost, g.changelogWaysOut())
	}
	return nil
}

// restored returns an error about an archive that the log does not reach, in a folder that knows
// neither: most likely a backup was put there. Putting the log back is no advice then.
func (g *Guard) restored(v *view, archived []Mark) error {
	for _, m := range archived {
		if end := v.topics[m.Topic].ends[m.Partition]; end < m.Next {
			return fmt.Errorf("%w: %s has got to offset %d of partition %d, and the log here ends at %d: it was restored from a backup without its log, "+
				"or is another one's; %s", errLog, m.By, m.Next, m.Partition, end, g.restoreWaysOut())
		}
	}
	return nil
}

// firstBehind returns an error about the first mark that the log does not reach, or nil.
func firstBehind(marks []Mark, ends map[string]map[int32]int64) error {
	var first *Mark
	count := 0
	for i, m := range marks {
		if ends[m.Topic][m.Partition] >= m.Next {
			continue
		}
		if count++; first == nil {
			first = &marks[i]
		}
	}
	if first == nil {
		return nil
	}
	more := ""
	if count > 1 {
		more = fmt.Sprintf(" (and %d more such findings)", count-1)
	}
	return fmt.Errorf("%w: topic %s, partition %d ends at offset %d, but %s has got to offset %d%s",
		errLog, first.Topic, first.Partition, ends[first.Topic][first.Partition], first.By, first.Next, more)
}

// groupsInside finds committed offsets behind the end of the log.
func (g *Guard) groupsInside(v *view) error {
	for _, group := range slices.Sorted(maps.Keys(g.opts.Groups)) {
		topic := g.opts.Groups[group]
		t, there := v.topics[topic]
		for p := range g.opts.Partitions {
			next, committed := v.groups[group][p]
			if !there || !committed || next <= t.ends[p] {
				continue
			}
			out := g.waysOut()
			if topic == g.windows() {
				out = g.windowsWaysOut(group)
			}
			return fmt.Errorf("%w: topic %s, partition %d ends at offset %d, but group %s has got to offset %d; %s", errLog, topic, p, t.ends[p], group, next, out)
		}
	}
	return nil
}

// nothingUnread finds groups, and an archive, that have not got to the beginning of the log: what
// was between is lost to them. It is not for a log that is being read: members may be ahead of
// what they have committed.
func (g *Guard) nothingUnread(v *view, archived []Mark) error {
	var gap string // the first
	found := func(topic string, p int32, by string, next int64) bool {
		start := v.topics[topic].starts[p]
		if next < start {
			gap = cmp.Or(gap, fmt.Sprintf("topic %s, partition %d begins at offset %d, but %s has only got to offset %d", topic, p, start, by, next))
		}
		return next < start
	}
	var cure []string
	var behind []string
	for _, group := range slices.Sorted(maps.Keys(g.opts.Groups)) {
		for p, next := range v.groups[group] {
			if found(g.opts.Groups[group], p, "group "+group, next) && !slices.Contains(behind, group) {
				behind = append(behind, group)
			}
		}
	}
	if len(behind) > 0 {
		cure = append(cure, g.forgetGroup(behind...))
	}
	for _, m := range archived {
		if found(m.Topic, m.Partition, m.By, m.Next) {
			cure = append(cure, fmt.Sprintf("delete the archive's %q", lake.ProgressPattern(m.Topic, m.Partition)))
		}
	}
	if gap == "" {
		return nil
	}
	return fmt.Errorf("%w: %s: they have expired in an outage longer than --retention, or by a retention.bytes of the topic that was in force, or somebody deleted them; to go on with what is left, stop, %s, "+
		"start; the minutes of what was deleted stay incomplete", errGap, gap, strings.Join(cure, ", "))
}

package hitfile

import (
	"bytes"
	"fmt"

	pq "github.com/parquet-go/parquet-go"
)

type visitColumn = column[*VisitBuffer, packedVisit]

// visitColumns are all columns of the schema of visits.
var visitColumns = allVisitColumns()

func allVisitColumns() []visitColumn {
	text := func(name string, str int) visitColumn {
		return visitColumn{name, func(b *VisitBuffer, r *packedVisit) pq.Value { return textValue(b.table[r.str[str]]) }}
	}
	list := []visitColumn{
		text("site", visitSite), text("entry_page", visitEntryPage), text("exit_page", visitExitPage), text("hostname", visitHostname),
		{"visitor", func(_ *VisitBuffer, r *packedVisit) pq.Value {
			return optional(r.visitor != 0, pq.Int64Value(int64(r.visitor)))
		}},
		{"visit", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.Int64Value(int64(r.visit)) }},
		{"into", func(_ *VisitBuffer, r *packedVisit) pq.Value {
			return optional(r.into != 0, pq.Int64Value(int64(r.into)))
		}},
		{"begin", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.Int64Value(int64(r.begin)) }},
		{"end", func(_ *VisitBuffer, r *packedVisit) pq.Value {
			return optional(r.into == 0, pq.Int64Value(int64(r.end)))
		}},
		{"events", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.Int32Value(int32(r.events)) }},
		{"pageviews", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.Int32Value(int32(r.views)) }},
		{"interactive", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.BooleanValue(r.interactive) }},
		{"pinged", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.BooleanValue(r.pinged) }},
		{"bounce", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.BooleanValue(r.bounce) }},
		{"seconds", func(_ *VisitBuffer, r *packedVisit) pq.Value { return pq.Int64Value(r.seconds) }},
		{"source_topic", func(b *VisitBuffer, _ *packedVisit) pq.Value { return textValue(b.topic) }},
		{"source_partition", func(b *VisitBuffer, _ *packedVisit) pq.Value { return pq.Int32Value(b.partition) }},
	}
	for i, d := range originDims {
		list = append(list, visitColumn{d.String(), func(b *VisitBuffer, r *packedVisit) pq.Value {
			return textValue(b.table[b.origins[r.origin][i]])
		}})
	}
	return list
}

// Encode appends a file of all visits and joins to out. It is a pure function of them: their order does not matter.
func (b *VisitBuffer) Encode(out *bytes.Buffer) error {
	b.sort()
	if err := writeFile(out, visitsSchema(), "visits.v1", visitColumns, b, b.rows, b.groupRows); err != nil {
		return fmt.Errorf("encode %d visits: %w", len(b.rows), err)
	}
	return nil
}

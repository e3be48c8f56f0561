package hitfile

import pq "github.com/parquet-go/parquet-go"

// Schema returns the schema of files of hits.
func Schema() *pq.Schema { return pq.SchemaOf(row{}) }

// VisitSchema returns the schema of files of visits.
func VisitSchema() *pq.Schema { return pq.SchemaOf(visitRow{}) }

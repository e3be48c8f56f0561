package commits

import (
	"encoding/json"
	"fmt"
	"sync"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"millrace/emit/lake/hitfile"
)

// field is a column in Delta's schema.
type field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Nullable bool     `json:"nullable"`
	Metadata struct{} `json:"metadata"`
}

var schemas = [numTables]func() string{
	Hits:   sync.OnceValue(func() string { return deltaSchema(hitfile.Schema()) }),
	Visits: sync.OnceValue(func() string { return deltaSchema(hitfile.VisitSchema()) }),
}

// schemaString is the schema of a table in Delta's form: the columns of its files, and dt.
func schemaString(t Table) string { return schemas[t]() }

func deltaSchema(s *pq.Schema) string {
	var of struct {
		Type   string  `json:"type"`
		Fields []field `json:"fields"`
	}
	of.Type = "struct"
	for _, f := range s.Fields() {
		// All may be NULL: files of later builds have columns that these lack.
		of.Fields = append(of.Fields, field{Name: f.Name(), Type: deltaType(f), Nullable: true})
	}
	of.Fields = append(of.Fields, field{Name: "dt", Type: "date", Nullable: true})
	text, err := json.Marshal(of)
	if err != nil {
		panic("BUG: a schema can't be encoded: " + err.Error())
	}
	return string(text)
}

// deltaType returns what Delta calls the type of a column.
func deltaType(f pq.Field) string {
	if l := f.Type().LogicalType(); l != nil {
		switch v := l.Value.(type) {
		case *format.StringType:
			return "string"
		case *format.TimestampType:
			return "timestamp"
		case *format.DecimalType:
			return fmt.Sprintf("decimal(%d,%d)", v.Precision, v.Scale)
		}
	}
	switch f.Type().Kind() {
	case pq.Boolean:
		return "boolean"
	case pq.Int32:
		return "integer"
	case pq.Int64:
		return "long"
	case pq.ByteArray:
		return "string"
	}
	panic(fmt.Sprintf("BUG: column %s has a type that Delta does not have", f.Name()))
}

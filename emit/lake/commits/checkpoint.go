package commits

import (
	"bytes"
	"encoding/json"
	"fmt"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
)

// checkpointRow is a row of a checkpoint of Delta's log, in its classic form: one of the fields is there.
type checkpointRow struct {
	Txn      *checkpointTxn      `parquet:"txn,optional"`
	Add      *checkpointAdd      `parquet:"add,optional"`
	Remove   *checkpointRemove   `parquet:"remove,optional"`
	MetaData *checkpointMetaData `parquet:"metaData,optional"`
	Protocol *checkpointProtocol `parquet:"protocol,optional"`
}

type (
	checkpointTxn struct {
		AppID   string `parquet:"appId,optional"`
		Version int64  `parquet:"version,optional"`
	}
	checkpointAdd struct {
		Path       string            `parquet:"path,optional"`
		Partition  map[string]string `parquet:"partitionValues,optional"`
		Size       int64             `parquet:"size,optional"`
		Modified   int64             `parquet:"modificationTime,optional"`
		DataChange *bool             `parquet:"dataChange,optional"`
		Stats      string            `parquet:"stats,optional"`
	}
	checkpointRemove struct {
		Path       string `parquet:"path,optional"`
		Deleted    int64  `parquet:"deletionTimestamp,optional"`
		DataChange *bool  `parquet:"dataChange,optional"`
	}
	checkpointMetaData struct {
		ID            string            `parquet:"id,optional"`
		Name          string            `parquet:"name,optional"`
		Format        *checkpointFormat `parquet:"format,optional"`
		Schema        string            `parquet:"schemaString,optional"`
		Partitions    []string          `parquet:"partitionColumns,optional,list"`
		Configuration map[string]string `parquet:"configuration,optional"`
		Created       int64             `parquet:"createdTime,optional"`
	}
	checkpointFormat struct {
		Provider string            `parquet:"provider,optional"`
		Options  map[string]string `parquet:"options,optional"`
	}
	checkpointProtocol struct {
		MinReader      int32    `parquet:"minReaderVersion,optional"`
		MinWriter      int32    `parquet:"minWriterVersion,optional"`
		WriterFeatures []string `parquet:"writerFeatures,optional,list"`
	}
)

// encodeCheckpoint returns the checkpoint of a table's log at a state, and its number of rows. It is a function of the state.
func encodeCheckpoint(t Table, s *State) (body []byte, rows int, err error) {
	p, m := theProtocol(), s.metaData(t, s.Created)
	list := []checkpointRow{
		{Protocol: &checkpointProtocol{p.MinReader, p.MinWriter, p.WriterFeatures}},
		{MetaData: &checkpointMetaData{
			ID: m.ID, Name: m.Name, Format: &checkpointFormat{m.Format.Provider, m.Format.Options}, Schema: m.Schema, Partitions: m.Partitions,
			Configuration: m.Configuration, Created: int64(m.Created),
		}},
	}
	dir, no := Dir(t, s.Topic, s.Partition), false
	for _, f := range s.Files(t) {
		a := f.add(dir, false)
		list = append(list, checkpointRow{Add: &checkpointAdd{
			Path: a.Path, Partition: a.Partition, Size: a.Size, Modified: int64(a.Modified), DataChange: &no, Stats: a.Stats,
		}})
	}
	var out bytes.Buffer
	w := pq.NewGenericWriter[checkpointRow](&out, pq.CreatedBy("millrace", "1", "commits.v1"), pq.Compression(&snappy.Codec{}))
	if _, err := w.Write(list); err != nil {
		return nil, 0, fmt.Errorf("encode the checkpoint of %v: %w", t, err)
	}
	if err := w.Close(); err != nil {
		return nil, 0, fmt.Errorf("encode the checkpoint of %v: %w", t, err)
	}
	return out.Bytes(), len(list), nil
}

// encodeLast returns the pointer to the checkpoint of a state.
func encodeLast(t Table, s *State, rows int, foldKey string) []byte {
	b, err := json.Marshal(lastCheckpoint{
		Version: s.Version, Size: int64(rows), NumOfAddFiles: int64(len(s.Files(t))), Tags: map[string]string{foldTag: foldKey, sumTag: s.Sum},
	})
	if err != nil {
		panic("BUG: a pointer to a checkpoint can't be encoded: " + err.Error())
	}
	return b
}

package commits

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
)

// step is a commit that counted.
type step struct {
	before, after *State
	offset        int64
	record        []byte
}

// The actions of Delta's log that are written, each a line of an entry.
type (
	action struct {
		CommitInfo *commitInfo   `json:"commitInfo,omitempty"`
		Protocol   *protocol     `json:"protocol,omitempty"`
		MetaData   *metaData     `json:"metaData,omitempty"`
		Add        *addAction    `json:"add,omitempty"`
		Remove     *removeAction `json:"remove,omitempty"`
	}
	commitInfo struct {
		Timestamp  event.Time        `json:"timestamp"`
		Operation  string            `json:"operation"`
		Parameters map[string]string `json:"operationParameters"`
		Engine     string            `json:"engineInfo"`
		Millrace   *entry            `json:"millrace,omitempty"`
	}
	protocol struct {
		MinReader      int32    `json:"minReaderVersion"`
		MinWriter      int32    `json:"minWriterVersion"`
		WriterFeatures []string `json:"writerFeatures"`
	}
	metaData struct {
		ID            string            `json:"id"`
		Name          string            `json:"name"`
		Format        metaFormat        `json:"format"`
		Schema        string            `json:"schemaString"`
		Partitions    []string          `json:"partitionColumns"`
		Configuration map[string]string `json:"configuration"`
		Created       event.Time        `json:"createdTime"`
	}
	metaFormat struct {
		Provider string            `json:"provider"`
		Options  map[string]string `json:"options"`
	}
	addAction struct {
		Path       string            `json:"path"`
		Partition  map[string]string `json:"partitionValues"`
		Size       int64             `json:"size"`
		Modified   event.Time        `json:"modificationTime"`
		DataChange bool              `json:"dataChange"`
		Stats      string            `json:"stats"`
	}
	removeAction struct {
		Path       string            `json:"path"`
		Deleted    event.Time        `json:"deletionTimestamp"`
		DataChange bool              `json:"dataChange"`
		Extended   bool              `json:"extendedFileMetadata"`
		Partition  map[string]string `json:"partitionValues"`
		Size       int64             `json:"size"`
	}
)

// entry is what our own readers take of an entry of the log of hits: the record that it is of.
type entry struct {
	Offset int64  `json:"offset"`
	Record string `json:"record"`
}

const engineInfo = "millrace"

// writerFeature keeps others from writing: they refuse a table with a feature that they do not know. Readers need none.
const writerFeature = "millrace"

// encodeEntry returns the entry of a step in a table's log. It is a function of the commits that counted.
func (st *step) encodeEntry(t Table) []byte {
	c, err := Decode(st.record)
	if err != nil {
		panic("BUG: a commit that counted can't be read: " + err.Error())
	}
	info := &commitInfo{Timestamp: c.At, Operation: operation(c), Engine: engineInfo, Parameters: map[string]string{
		"next": fmt.Sprint(st.after.Next), "watermark": st.after.Watermark.String(), "epoch": fmt.Sprint(c.Epoch)}}
	if t == Hits {
		info.Millrace = &entry{st.offset, string(st.record)}
	}
	lines := []action{{CommitInfo: info}}
	if st.after.Version == 0 {
		lines = append(lines, action{Protocol: theProtocol()}, action{MetaData: st.after.metaData(t, c.At)})
	}
	if c.Kind == Changes {
		lines = append(lines, st.fileActions(t, &c.Change)...)
	}
	var b bytes.Buffer
	for i := range lines {
		text, err := json.Marshal(&lines[i])
		if err != nil {
			panic("BUG: an entry can't be encoded: " + err.Error())
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// fileActions returns those of the files that a table loses and gains. Merged files hold what was there, but for rows that are erased; a
// file that goes with none in its place takes its rows with it.
func (st *step) fileActions(t Table, c *Change) (lines []action) {
	dir := Dir(t, st.after.Topic, st.after.Partition)
	for _, f := range st.before.Files(t) {
		if st.after.files[f.Key] == nil {
			lines = append(lines, action{Remove: &removeAction{Path: pathOf(dir, f.Key), Deleted: st.after.At, DataChange: c.Anew || c.Recount || !c.replaces(f), Extended: true,
				Partition: partitionOf(f), Size: f.Size}})
		}
	}
	for _, f := range st.after.Files(t) {
		if st.before.files[f.Key] == nil {
			lines = append(lines, action{Add: f.add(dir, c.Anew || c.Recount || f.Level == Segment || f.Erased > 0)})
		}
	}
	return lines
}

// replaces reports whether a file that goes is merged to another.
func (c *Change) replaces(gone *File) bool {
	return slices.ContainsFunc(c.Add, func(f File) bool { return f.Table == gone.Table && f.Day == gone.Day && f.Level > Segment })
}

func operation(c *Commit) string {
	switch {
	case c.Kind == Begins:
		return "RESTORE"
	case len(c.Change.Remove) > 0 && !c.Change.Anew && !c.Change.Recount:
		return "OPTIMIZE"
	}
	return "WRITE"
}

func theProtocol() *protocol {
	return &protocol{MinReader: 1, MinWriter: 7, WriterFeatures: []string{writerFeature}}
}

// metaData describes a table. Its id is a function of what the table is of.
func (s *State) metaData(t Table, at event.Time) *metaData {
	h := sum(fmt.Appendf(nil, "%v of %s-%d", t, s.Topic, s.Partition))
	return &metaData{
		ID:     fmt.Sprintf("%s-%s-8%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32]),
		Name:   fmt.Sprintf("%v of %s-%d", t, s.Topic, s.Partition),
		Format: metaFormat{"parquet", map[string]string{}}, Schema: schemaString(t), Partitions: []string{"dt"},
		Configuration: map[string]string{}, Created: at,
	}
}

// pathOf returns the path of a file relative to the table's folder, as Delta has it.
func pathOf(dir, key string) string {
	return (&url.URL{Path: strings.TrimPrefix(key, dir)}).EscapedPath()
}

func partitionOf(f *File) map[string]string {
	return map[string]string{"dt": f.Day.Std().Format(time.DateOnly)}
}

// add returns the action that adds a file; it is the same in the entry and in a checkpoint.
func (f *File) add(dir string, changes bool) *addAction {
	stats := map[string]any{"numRecords": f.Rows}
	low, high := map[string]any{"site": f.MinSite}, map[string]any{"site": f.MaxSite}
	if f.Table == Hits {
		low["ts"], high["ts"] = f.MinTime.String(), f.MaxTime.String()
	}
	stats["minValues"], stats["maxValues"] = low, high
	text, err := json.Marshal(stats)
	if err != nil {
		panic("BUG: statistics can't be encoded: " + err.Error())
	}
	return &addAction{Path: pathOf(dir, f.Key), Partition: partitionOf(f), Size: f.Size, Modified: f.Added, DataChange: changes, Stats: string(text)}
}

// readEntry returns what our own readers take of an entry of the log of hits.
func readEntry(body []byte) (*entry, error) {
	line, _, _ := bytes.Cut(body, []byte{'\n'})
	var a action
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, err
	}
	if a.CommitInfo == nil || a.CommitInfo.Millrace == nil || a.CommitInfo.Engine != engineInfo {
		return nil, errors.New("it was not written by millrace")
	}
	return a.CommitInfo.Millrace, nil
}

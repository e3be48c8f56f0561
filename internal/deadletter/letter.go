package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"millrace/engine/wire"
)

// Topic is where letters go.
const Topic = "millrace.dead"

// MaxValue is the longest value that is kept whole, and MaxText the longest reason and key: in
// base64, and with every byte of the texts escaped, they still fit into a record of
// kafka.MaxRecordBytes, which is 15 MiB.
const (
	MaxValue = 10 << 20
	MaxText  = 4 << 10
)

// version of the format.
const version = 1

// ErrLetter is wrapped by every error of Parse.
var ErrLetter = errors.New("not a dead letter")

// Letter is one record that was set aside.
type Letter struct {
	// Topic, Partition and Offset are where it was.
	Topic     string
	Partition int32
	Offset    int64
	// Reason is why it is here, for an operator. At most MaxText, as Key.
	Reason string
	// Key and Value are the record's own; Value is nil if the record had none.
	Key   string
	Value []byte
	// Size is the length of the record's value; more than len(Value) if that was cut.
	Size int
}

// form is the JSON form.
type form struct {
	V         int     `json:"v"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Reason    string  `json:"reason"`
	Key       string  `json:"key,omitempty"`
	Value     *[]byte `json:"value,omitempty"`
	Size      int     `json:"size,omitempty"`
}

// Append appends the letter as JSON. Size is computed from Value, unless it is larger.
func (l *Letter) Append(dst []byte) []byte {
	w := form{V: version, Topic: l.Topic, Partition: l.Partition, Offset: l.Offset,
		Reason: l.Reason[:min(len(l.Reason), MaxText)], Key: l.Key[:min(len(l.Key), MaxText)]}
	if l.Value != nil {
		v := l.Value[:min(len(l.Value), MaxValue)]
		w.Value = &v
		if size := max(l.Size, len(l.Value)); size > len(v) {
			w.Size = size
		}
	}
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		panic("BUG: encode dead letter: " + err.Error()) // strings, numbers and bytes always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Parse reads a letter. Unknown fields are passed over.
func Parse(b []byte) (Letter, error) {
	var w form
	if err := json.Unmarshal(b, &w); err != nil {
		return Letter{}, fmt.Errorf("%w: %w", ErrLetter, err)
	}
	switch {
	case w.V > version:
		return Letter{}, fmt.Errorf("%w: %w", ErrLetter, wire.Newer(w.V, version, version))
	case w.V != version:
		return Letter{}, fmt.Errorf("%w: v is %d, this build reads %d", ErrLetter, w.V, version)
	case w.Topic == "":
		return Letter{}, fmt.Errorf("%w: topic is missing", ErrLetter)
	}
	l := Letter{Topic: w.Topic, Partition: w.Partition, Offset: w.Offset, Reason: w.Reason, Key: w.Key}
	if w.Value != nil {
		l.Value = *w.Value
		if l.Value == nil {
			l.Value = []byte{}
		}
		l.Size = max(w.Size, len(l.Value))
	}
	return l, nil
}

package deadletter

import (
	"encoding/json"
	"fmt"
)

// State is how far the retry of a letter is.
type State string

// The states.
const (
	Open    State = "open"    // not retried
	Begun   State = "begun"   // a retry was cut short: the record may be back or not
	Retried State = "retried" // the record is back
	done          = "done"    // Retried, as it is written
)

// Mark is what became of a letter.
type Mark struct {
	Of    Coord // of the letter, see Entry.Coord
	State State // Begun or Retried
	To    int64 // the record's new offset in its partition, if Retried
}

type wireMark struct {
	V     int `json:"v"`
	Retry *struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		State     string `json:"state"`
		To        int64  `json:"to,omitempty"`
	} `json:"retry"`
}

// Append appends the mark as JSON.
func (m Mark) Append(dst []byte) []byte {
	state := string(m.State)
	if m.State == Retried {
		state = done
	}
	topic, err := json.Marshal(m.Of.Topic)
	if err != nil {
		panic("BUG: encode mark: " + err.Error()) // a string always encodes
	}
	dst = fmt.Appendf(dst, `{"v":%d,"retry":{"topic":%s,"partition":%d,"offset":%d,"state":%q`,
		version, topic, m.Of.Partition, m.Of.Offset, state)
	if m.State == Retried {
		dst = fmt.Appendf(dst, `,"to":%d`, m.To)
	}
	return append(dst, "}}"...)
}

// maxMark is more than a mark can have: a topic's name has 249 characters at most. Letters of
// megabytes need not be decoded to see that they are none.
const maxMark = 2 << 10

// ParseMark reads a mark; false if the record is none, which does not make it a letter.
func ParseMark(b []byte) (Mark, bool) {
	if len(b) > maxMark {
		return Mark{}, false
	}
	var w wireMark
	if err := json.Unmarshal(b, &w); err != nil || w.V != version || w.Retry == nil {
		return Mark{}, false
	}
	m := Mark{Of: Coord{w.Retry.Topic, w.Retry.Partition, w.Retry.Offset}, State: Begun}
	if w.Retry.State == done {
		m.State, m.To = Retried, w.Retry.To
	}
	return m, true
}

package deadletter

import (
	"fmt"
	"strconv"
	"strings"
)

// Coord is the location of a record: topic, partition and offset.
type Coord struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is topic/partition/offset, as ParseCoord reads it.
func (c Coord) String() string {
	return c.Topic + "/" + strconv.Itoa(int(c.Partition)) + "/" + strconv.FormatInt(c.Offset, 10)
}

// ParseCoord reads topic/partition/offset. A topic's name has no slash.
func ParseCoord(s string) (Coord, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || parts[0] == "" {
		return Coord{}, fmt.Errorf("%q is not TOPIC/PARTITION/OFFSET, such as millrace.events/3/17", s)
	}
	partition, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil || partition < 0 {
		return Coord{}, fmt.Errorf("%q: %q is not a partition", s, parts[1])
	}
	offset, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || offset < 0 {
		return Coord{}, fmt.Errorf("%q: %q is not an offset", s, parts[2])
	}
	return Coord{parts[0], int32(partition), offset}, nil
}

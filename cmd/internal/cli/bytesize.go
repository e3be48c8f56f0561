package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes, written as 1048576, 512KiB, 64MiB or 1GiB.
type ByteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// UnmarshalText is what flags, environment and config file are read by.
func (b *ByteSize) UnmarshalText(text []byte) error {
	s, unit := string(text), int64(1)
	for _, u := range byteUnits {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = digits, u.bytes
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is not a size such as 512KiB, 64MiB or 1GiB", text)
	}
	*b = ByteSize(n * unit)
	return nil
}

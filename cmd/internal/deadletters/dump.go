package deadletters

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dump shows the first bytes of a record: text as text with escapes, anything else in hexadecimal.
func Dump(value []byte, most int) string {
	shown := value[:min(len(value), most)]
	more := ""
	if len(shown) < len(value) {
		more = fmt.Sprintf("… %d bytes more; --raw prints all\n", len(value)-len(shown))
	}
	odd := 0
	for _, r := range string(shown) {
		if r == utf8.RuneError || !strconv.IsPrint(r) && r != '\n' && r != '\t' {
			odd++
		}
	}
	if odd > len(shown)/20+1 {
		return hex.Dump(shown) + more
	}
	if len(shown) > 0 {
		more = "\n" + more
	}
	return strings.ReplaceAll(Printable(string(shown), len(shown)), `\n`, "\n") + more
}

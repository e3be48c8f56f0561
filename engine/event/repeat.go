package event

// A repeat id is what a collector gives to an event that came without one and that its sender may send again by itself: a
// browser repeats a request when the connection closes before the answer. It is "~", 16 hexadecimal digits that are the same
// for the same event of the same visitor, ".", and an id that no other event has.
//
// So ids stay unique in the archive, and still two events can be seen to be one. They are one only if they come within
// seconds of each other (package dedup), because a visitor who does the same again has done it twice.
const (
	repeatMark = '~'
	repeatLen  = 1 + 16 + 1
)

// MaxRepeatPrefix is by how much a repeat id is longer than the unique one in it.
const MaxRepeatPrefix = repeatLen

// AppendRepeatPrefix appends what comes before the unique part of a repeat id.
func AppendRepeatPrefix(dst []byte, fingerprint uint64) []byte {
	return append(appendVisitor(append(dst, repeatMark), Visitor(fingerprint)), '.')
}

// CutRepeat returns the part of a repeat id that is the same for what is sent again, false for any other id.
func CutRepeat(id string) (fingerprint string, ok bool) {
	if len(id) < repeatLen || id[0] != repeatMark {
		return "", false
	}
	return id[:repeatLen], isRepeat(id)
}

func isRepeat(id string) bool {
	for _, c := range []byte(id[1 : repeatLen-1]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return id[repeatLen-1] == '.'
}

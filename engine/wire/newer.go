package wire

import (
	"errors"
	"fmt"
)

// ErrNewer is wrapped by the error for what a later release has written in a format that this build
// does not know. It is no damage: the data is whole, and must not be deleted.
var ErrNewer = errors.New("data of a newer Millrace")

// Newer returns the error for a format, by its number, where this build reads those from oldest to
// newest.
func Newer(format, oldest, newest int) error {
	reads := fmt.Sprint(newest)
	switch newest - oldest {
	case 0:
	case 1:
		reads = fmt.Sprintf("%d and %d", oldest, newest)
	default:
		reads = fmt.Sprintf("%d to %d", oldest, newest)
	}
	return fmt.Errorf("%w (format %d; this one reads %s): use the newer program", ErrNewer, format, reads)
}

package window

import "millrace/engine/wire"

// reader reads the fields of a chunk. Strings are views.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b, Of: ErrChunk}} }

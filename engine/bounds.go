package engine

import "cmp"

// Bounds are the sizes, in bytes, at which a Partition saves memory or work. But for Record they change nothing that it
// writes, and Record only where a window is cut. The zero value of a field is its default.
type Bounds struct {
	// HotWindows bounds the memory of the hot windows. Windows that come when it is reached are folded from the store.
	// Default 64 MiB.
	HotWindows int
	// HotHours does it for hot hours. Default as HotWindows.
	HotHours int
	// Pending is the length at which chunks are folded without a firing: they are shorter folded, and far below this
	// folding them costs more, because the window's tables are out of the processor's caches again by the next time.
	// Default 256 KiB.
	Pending int
	// Compact is the size of a window's state from which a firing leaves its fold in the store: the next firing then need
	// not fold the same rows again. Smaller ones cost less to fold than to write. Default 4 KiB.
	Compact int
	// Record is the size at which a fired window goes on in another record: far below what brokers take, and so
	// large that only a giant site's window has two. Default 4 MiB.
	Record int
}

func (b Bounds) withDefaults() Bounds {
	b.HotWindows = cmp.Or(b.HotWindows, 64<<20)
	b.HotHours = cmp.Or(b.HotHours, b.HotWindows)
	b.Pending = cmp.Or(b.Pending, 256<<10)
	b.Compact = cmp.Or(b.Compact, 4<<10)
	b.Record = cmp.Or(b.Record, 4<<20)
	return b
}
